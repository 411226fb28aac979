package object

import (
	"fmt"
	"iter"
	"math/bits"

	"busbar/plc/axdr"
)

// Methods of an image transfer (class 18). Verify and activate take the parameter of
// AppendNone; they may answer "temporary failure", which means: not yet, read the status.
const (
	ImageInitiate int8 = 1
	ImageBlock    int8 = 2
	ImageVerify   int8 = 3
	ImageActivate int8 = 4
)

// ImageStatus is how far an image transfer is (class 18 attribute 6).
type ImageStatus uint8

// States of an image transfer.
const (
	ImageNotInitiated ImageStatus = iota
	ImageInitiated
	ImageVerifying
	ImageVerified
	ImageVerifyFailed
	ImageActivating
	ImageActivated
	ImageActivateFailed
)

// String names the state.
func (s ImageStatus) String() string {
	names := [...]string{
		"transfer not initiated", "transfer initiated", "verification initiated", "verification successful",
		"verification failed", "activation initiated", "activation successful", "activation failed",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("image transfer status %d", uint8(s))
}

// ParseImageStatus reads an image transfer status; any number is one.
func ParseImageStatus(b []byte) (ImageStatus, int, error) {
	return parse(b, func(r *reader) ImageStatus { return ImageStatus(r.enum()) })
}

// Append appends the enum.
func (s ImageStatus) Append(dst []byte) []byte { return axdr.AppendEnum(dst, uint8(s)) }

// Image is the parameter of image_transfer_initiate. What a meter has of another image
// is lost by it.
type Image struct {
	Identifier []byte
	Size       uint32 // octets
}

// ParseImage reads the parameter of image_transfer_initiate.
func ParseImage(b []byte) (Image, int, error) {
	return parse(b, func(r *reader) Image {
		r.structure(2)
		return Image{Identifier: r.octets(), Size: r.u32()}
	})
}

// Append appends the structure.
func (i Image) Append(dst []byte) []byte {
	return axdr.AppendDoubleLongU(axdr.AppendOctets(axdr.AppendStructure(dst, 2), i.Identifier), i.Size)
}

// Blocks is the number of blocks of blockSize octets that the image takes, the last one
// being shorter as a rule; 0 for a block size of 0.
func (i Image) Blocks(blockSize uint32) uint32 {
	if blockSize == 0 {
		return 0
	}
	return uint32((uint64(i.Size) + uint64(blockSize) - 1) / uint64(blockSize))
}

// Block is the parameter of image_block_transfer. Its number counts from 0.
type Block struct {
	Number uint32
	Data   []byte
}

// BlockOf cuts block number n out of an image. It is false behind the end.
func BlockOf(image []byte, blockSize, n uint32) (Block, bool) {
	from := uint64(n) * uint64(blockSize)
	if blockSize == 0 || from >= uint64(len(image)) {
		return Block{}, false
	}
	to := min(from+uint64(blockSize), uint64(len(image)))
	return Block{Number: n, Data: image[from:to:to]}, true
}

// ParseBlock reads the parameter of image_block_transfer.
func ParseBlock(b []byte) (Block, int, error) {
	return parse(b, func(r *reader) Block {
		r.structure(2)
		return Block{Number: r.u32(), Data: r.octets()}
	})
}

// Append appends the structure.
func (k Block) Append(dst []byte) []byte {
	return axdr.AppendOctets(axdr.AppendDoubleLongU(axdr.AppendStructure(dst, 2), k.Number), k.Data)
}

// Size is the number of octets that Append appends.
func (k Block) Size() int { return 2 + 5 + 1 + axdr.LengthSize(len(k.Data)) + len(k.Data) }

// BlockSet says which blocks of an image a meter has (class 18 attribute 3,
// image_transferred_blocks_status): one bit a block, the first in the most significant
// bit of the first octet. The zero value is the set of no blocks.
type BlockSet struct {
	count  int
	octets []byte
}

// ParseBlockSet reads the status of the transferred blocks.
func ParseBlockSet(b []byte) (BlockSet, int, error) {
	return parse(b, func(r *reader) BlockSet {
		e := r.next(axdr.BitString)
		return BlockSet{count: e.Count, octets: e.Octets}
	})
}

// NewBlockSet is a set for count blocks that has none.
func NewBlockSet(count int) BlockSet {
	return BlockSet{count: count, octets: make([]byte, (count+7)/8)}
}

// Append appends the bit-string.
func (s BlockSet) Append(dst []byte) []byte { return axdr.AppendBits(dst, s.count, s.octets) }

// Count is the number of blocks that the set tells about, which may be fewer than the
// image has: some meters leave out what lies behind the last block that they have.
func (s BlockSet) Count() int { return s.count }

// Has reports whether a block is there.
func (s BlockSet) Has(block int) bool {
	return block >= 0 && block < s.count && s.octets[block/8]>>(7-block%8)&1 != 0
}

// Add notes that a block is there. The set must be one of NewBlockSet and have the block.
func (s BlockSet) Add(block int) { s.octets[block/8] |= 0x80 >> (block % 8) }

// Here is the number of blocks that are there.
func (s BlockSet) Here() int {
	n := 0
	for i, o := range s.octets {
		if i == s.count/8 { // the bits behind the last block mean nothing
			o &^= 0xFF >> (s.count % 8)
		}
		n += bits.OnesCount8(o)
	}
	return n
}

// Missing are the numbers of the blocks that are not there, of an image of so many
// blocks, in rising order.
func (s BlockSet) Missing(blocks int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range blocks {
			if !s.Has(i) && !yield(i) {
				return
			}
		}
	}
}

// Keep takes out of s every block that other does not have, so that over the sets of
// many meters what is missing in the end is missing in at least one of them: the blocks
// to broadcast again. The set must be one of NewBlockSet, filled by Fill.
func (s BlockSet) Keep(other BlockSet) {
	for i := range s.count {
		if !other.Has(i) {
			s.octets[i/8] &^= 0x80 >> (i % 8)
		}
	}
}

// Fill adds every block.
func (s BlockSet) Fill() {
	for i := range s.count {
		s.Add(i)
	}
}

// ImageInfo tells what an image in a meter is that could be activated (class 18
// attribute 7).
type ImageInfo struct {
	Size           uint32
	Identification []byte
	Signature      []byte
}

// maxImages bounds the images of one transfer; a meter has a few at most.
const maxImages = 128

// ParseImageInfos reads image_to_activate_info.
func ParseImageInfos(b []byte) ([]ImageInfo, int, error) {
	return parse(b, func(r *reader) []ImageInfo {
		return array(r, 11, maxImages, func(r *reader) ImageInfo {
			r.structure(3)
			return ImageInfo{Size: r.u32(), Identification: r.octets(), Signature: r.octets()}
		})
	})
}

// AppendImageInfos appends image_to_activate_info.
func AppendImageInfos(dst []byte, infos []ImageInfo) []byte {
	return appendArray(dst, infos, func(dst []byte, i ImageInfo) []byte {
		dst = axdr.AppendDoubleLongU(axdr.AppendStructure(dst, 3), i.Size)
		return axdr.AppendOctets(axdr.AppendOctets(dst, i.Identification), i.Signature)
	})
}
