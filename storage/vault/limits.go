package vault

const (
	// fileMax bounds the vault file: 256 statements of 64 KiB and 10,000 case
	// keys fit.
	fileMax = 32 << 20
	// slotsMax is one for each way to unlock, and some room.
	slotsMax = 16
	// arrayMax bounds arrays in the body and rows in one batch: a study of
	// 100,000 instances may have a row each.
	arrayMax = 100_000
	// ValueMax bounds the value of a row: the manifest of a study of 100,000
	// instances, FORMATS §12.
	ValueMax = 64 << 20
	// nameMax bounds table and key of a row; keys are hashes and short words.
	nameMax = 1 << 10
	// batchMax bounds one batch on disk, which is in memory as a whole.
	batchMax = 160 << 20
	// compactMin is the size below which dead rows do not matter.
	compactMin = 1 << 20
	// chunkMax is about how much a frame holds when the log is written anew.
	chunkMax = 1 << 20

	// FORMATS §9, Argon2id. Writers keep the floor, so that no vault is made
	// that a thief opens cheaply; readers keep the ceilings, so that no file
	// makes them allocate or compute without end.
	memoryMinKiB     = 65_536
	memoryDefaultKiB = 262_144
	memoryMaxKiB     = 1 << 20
	timeDefault      = 3
	timeMax          = 10
	threadsDefault   = 4
	threadsMax       = 16
	saltSize         = 16
	// passphraseMax is more than anybody types.
	passphraseMax = 4 << 10
)
