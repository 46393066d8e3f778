package gateway

import "errors"

var errWeb = errors.New("this version does not speak DICOMweb to a destination")

func (g *Gateway) web(Settings) (Destination, error) { return nil, errWeb }
