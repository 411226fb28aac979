package cipher

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrWrap says that a wrapped key was wrapped with another key, or altered.
var ErrWrap = errors.New("wrapped key is wrong: other master key, or altered on the way")

// wrapBlock is half an AES block, the unit of RFC 3394, and what wrapping adds.
const wrapBlock = 8

// wrapCheck is the initial value of RFC 3394, 2.2.3.1.
const wrapCheck uint64 = 0xA6A6A6A6A6A6A6A6

// WrapKey wraps key under the master key kek (RFC 3394, 2.2.1). The result has 8
// octets more than key.
func WrapKey(kek, key Secret) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	n := len(key) / wrapBlock
	if len(key)%wrapBlock != 0 || n < 2 {
		return nil, fmt.Errorf("key of %d octets to be wrapped: want a multiple of 8, at least 16", len(key))
	}
	out := append(make([]byte, wrapBlock, wrapBlock+len(key)), key...)
	var b [aes.BlockSize]byte
	a := wrapCheck
	for t := range uint64(6 * n) {
		r := out[wrapBlock*(1+int(t)%n):][:wrapBlock]
		binary.BigEndian.PutUint64(b[:], a)
		copy(b[wrapBlock:], r)
		block.Encrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:]) ^ (t + 1)
		copy(r, b[wrapBlock:])
	}
	binary.BigEndian.PutUint64(out, a)
	return out, nil
}

// UnwrapKey undoes WrapKey. Nothing of the key is returned unless it is whole.
func UnwrapKey(kek Secret, wrapped []byte) (Secret, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	n := len(wrapped)/wrapBlock - 1
	if len(wrapped)%wrapBlock != 0 || n < 2 || n > maxWrapped/wrapBlock {
		return nil, fmt.Errorf("wrapped key of %d octets: want a multiple of 8, 24 to %d", len(wrapped), maxWrapped+wrapBlock)
	}
	out := append(Secret{}, wrapped[wrapBlock:]...)
	var b [aes.BlockSize]byte
	a := binary.BigEndian.Uint64(wrapped)
	for t := uint64(6 * n); t > 0; t-- {
		r := out[wrapBlock*(int(t-1)%n):][:wrapBlock]
		binary.BigEndian.PutUint64(b[:], a^t)
		copy(b[wrapBlock:], r)
		block.Decrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:])
		copy(r, b[wrapBlock:])
	}
	binary.BigEndian.PutUint64(b[:], a)
	if subtle.ConstantTimeCompare(b[:wrapBlock], binary.BigEndian.AppendUint64(nil, wrapCheck)) != 1 {
		return nil, ErrWrap
	}
	return out, nil
}

// maxWrapped bounds the key inside a wrapped one: no suite has a longer one than 32.
const maxWrapped = 64
