package report

// Text renders a document as plain text.
func Text(d *Document) string { return d.Text }
