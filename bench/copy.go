package main

import (
	"errors"
	"io"
	"os"
)

// copySize is what an operation of a copy moves.
const copySize = 1 << 20

// copyFile: a file goes out by io.Copy from an io.LimitedReader around it, as an HTTP server sends it, and at the other end
// by io.Copy into a Writer: tlsnet's ReadFrom and WriteTo, and reads and writes of 32 KB where a stack has neither. The last
// side is TCP without TLS, by reads and writes too.
func copyFile(c *certificates) (scenario, error) {
	s := scenario{name: "copy13_file_tcp", bytes: copySize, pieces: 6}
	file, err := unnamedFile(copySize)
	if err != nil {
		return s, err
	}
	connected, err := connectAll(c)
	if err != nil {
		return s, err
	}
	for _, h := range connected {
		to := &counter{moved: make(chan error, 1), left: copySize}
		go func() {
			_, err := io.Copy(to, h.server)
			to.moved <- errors.Join(err, io.ErrUnexpectedEOF) // it does not end while it is measured
		}()
		s.sides = append(s.sides, side{name: h.name, run: func(n int) error {
			for range n {
				if err := copyOnce(h.client, file); err != nil {
					return err
				}
				if err := <-to.moved; err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return s, nil
}

// copyOnce sends the file.
func copyOnce(to io.Writer, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(to, &io.LimitedReader{R: file, N: copySize})
	return err
}

// counter takes all, and tells whenever an operation's bytes have come.
type counter struct {
	left  int // of the operation
	moved chan error
}

func (c *counter) Write(b []byte) (int, error) {
	for left := len(b); left > 0; {
		k := min(left, c.left)
		left -= k
		if c.left -= k; c.left == 0 {
			c.left = copySize
			c.moved <- nil
		}
	}
	return len(b), nil
}

// unnamedFile is a file that goes when the program ends.
func unnamedFile(size int) (*os.File, error) {
	file, err := os.CreateTemp("", "tlswright-bench-*")
	if err != nil {
		return nil, err
	}
	_, err = file.Write(make([]byte, size))
	return file, errors.Join(err, os.Remove(file.Name()))
}
