//go:build race

package race

const Enabled = true

// Spoil writes over a buffer that nobody may use any more: the detector tells of who does all the same, and so does
// what they read.
func Spoil(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
