package storage

const (
	// versionMax is more than any number needs.
	versionMax = 64
	// keyMax is more than any private key of ours takes.
	keyMax = 8 << 10
	// holderMax bounds what is read of another process's LOCK.
	holderMax = 256
)
