package exchange

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/curbside-p2p/curbside/protocol/ledger"
	"github.com/curbside-p2p/curbside/protocol/wire"
)

// decode reads a frame body with the usual array limit.
func decode(b []byte, v any) error { return decodeLimit(b, v, wire.ArrayMax) }

func decodeLimit(b []byte, v any, arrayMax int) error {
	if err := wire.UnmarshalLimit(b, v, arrayMax); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	return nil
}

// A decoder for each frame: canonical bytes, within the limits. What a body means
// is for the session.

func decodeHello(b []byte) (h hello, err error) {
	if err := decode(b, &h); err != nil {
		return h, err
	}
	if len(h.Versions) == 0 || len(h.Versions) > versionsMax || len(h.Software) > softwareMax {
		return h, errLimit
	}
	return h, nil
}

func decodeProofs(b []byte) (ps []proof, err error) {
	if err := decode(b, &ps); err != nil {
		return nil, err
	}
	if len(ps) > devicesMax {
		return nil, errLimit
	}
	return ps, nil
}

func decodeRecords(b []byte) (records [][]byte, err error) {
	if err := decode(b, &records); err != nil {
		return nil, err
	}
	if len(records) > recordsMax {
		return nil, errLimit
	}
	for _, r := range records {
		if len(r) > recordMax {
			return nil, errLimit
		}
	}
	return records, nil
}

func decodeThreads(b []byte) (as []announcement, err error) {
	return as, decodeLimit(b, &as, threadsMax)
}

func decodeRows(b []byte) (r rowsBody, err error) {
	if err := decode(b, &r); err != nil {
		return r, err
	}
	if len(r.Rows) > rowsMax {
		return r, errLimit
	}
	for i := 1; i < len(r.Rows); i++ {
		if compareRows(r.Rows[i-1], r.Rows[i]) >= 0 {
			return r, errBody
		}
	}
	return r, nil
}

// compareRows is the order of rows: bytewise, of their encoding.
func compareRows(a, b ledger.Row) int {
	return cmp.Or(
		slices.Compare(a.Device[:], b.Device[:]), cmp.Compare(a.Chain, b.Chain),
		cmp.Compare(a.Seq, b.Seq), slices.Compare(a.Entry[:], b.Entry[:]))
}

func decodeEntries(b []byte) (e entriesBody, err error) {
	if err := decode(b, &e); err != nil {
		return e, err
	}
	if e.More < 1 || e.More > 2 {
		return e, errBody
	}
	if len(e.Items) > itemsMax {
		return e, errLimit
	}
	for _, it := range e.Items {
		if len(it) > itemMax {
			return e, errLimit
		}
	}
	return e, nil
}

func decodeNeed(b []byte) (n needBody, err error) {
	if err := decode(b, &n); err != nil {
		return n, err
	}
	if len(n.Entries) > needMax || len(n.Chains) > needMax || len(n.Seals) > needMax {
		return n, errLimit
	}
	return n, nil
}

func decodeHave(b []byte) (h haveBody, err error) {
	if err := decode(b, &h); err != nil {
		return h, err
	}
	if len(h.Bitmap) > bitmapMax || len(h.Partial) > partialsMax {
		return h, errLimit
	}
	return h, nil
}

func decodeWants(b []byte) (ws []wantRow, err error) { return ws, decode(b, &ws) }

func decodeCancel(b []byte) (requests []uint64, err error) { return requests, decode(b, &requests) }

func decodeRefuse(b []byte) (r refuseBody, err error) {
	if err := decode(b, &r); err != nil {
		return r, err
	}
	if r.Reason < uint64(Absent) || r.Reason > uint64(NotAllowed) {
		return r, errBody
	}
	return r, nil
}

func decodeEnd(b []byte) (e endBody, err error) {
	if err := decode(b, &e); err != nil {
		return e, err
	}
	if e.Why < endLevel || e.Why > endError {
		return e, errBody
	}
	return e, nil
}

func decodeJoin(b []byte) (join []byte, err error) {
	if err := decode(b, &join); err != nil {
		return nil, err
	}
	if len(join) > joinMax {
		return nil, errLimit
	}
	return join, nil
}
