package gateway

import "errors"

func (g *Gateway) dicom(Settings) (Destination, error) { return nil, errors.New("not built") }
