package study

import (
	"fmt"
	"testing"
)

// The largest manifest there is.
func BenchmarkManifest(b *testing.B) {
	m := identified()
	s := ManifestSeries{UID: "1.2.9", Modality: "CT", Complete: Complete{Listed: InstancesMax, Basis: BasisNone, State: StateOpen}}
	for i := range InstancesMax {
		s.Instances = append(s.Instances, row(fmt.Sprintf("1.2.840.113619.2.55.3.604688119.971.%d", i), byte(i)))
	}
	m.Series, m.Complete = []ManifestSeries{s}, Complete{Listed: InstancesMax, Basis: BasisNone, State: StateOpen}
	enc, err := m.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(enc)))
		for b.Loop() {
			if _, err := m.Encode(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(enc)))
		for b.Loop() {
			if _, err := DecodeManifest(enc); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStacks(b *testing.B) {
	list := axial(1000)
	b.ReportAllocs()
	for b.Loop() {
		Stacks(list)
	}
}
