package mac

import "fmt"

// Sizes of a frame in octets (sfsk.md 2.1).
const (
	MaxSubframes = 7
	MaxMSDU      = MaxSubframes*subframeSize - overhead // 242

	subframeSize = 36                   // what one subframe carries behind its frame indicator
	headerSize   = 2 + 1 + 3 + 1        // number of subframes, credits, addresses, pad length
	fcsSize      = 3                    // frame check sequence
	overhead     = headerSize + fcsSize // what a frame carries beside MSDU and padding
	maxPad       = subframeSize - 1     // more would fill a subframe of its own
)

// Subframes is the number of subframes of a frame with an MSDU of the given octets:
// 1 to MaxSubframes, and more when the MSDU is longer than MaxMSDU.
func Subframes(msduLen int) int {
	return max(1, (msduLen+overhead+subframeSize-1)/subframeSize)
}

// marks are the codes for 1 to 7 subframes, each sent twice. Any two differ in four
// bits.
var marks = [MaxSubframes]byte{0x6C, 0x3A, 0x56, 0x71, 0x1D, 0x4B, 0x27}

// mark is the code for n subframes as it stands in the first octets of a frame.
func mark(n int) [2]byte { return [2]byte{marks[n-1], marks[n-1]} }

// parseMark is the number of subframes that the first two octets of a frame tell.
func parseMark(first, second byte) (int, error) {
	for i, m := range marks {
		if first == m && second == m {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("number of subframes %02X%02Xh is not a code of the standard", first, second)
}
