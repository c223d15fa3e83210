package blob

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/onemeter/onemeter/server/chat"
)

// Ping checks that a file can be written, by writing one byte.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blob: ping: %w", err)
	}
	name := path.Join(tmp, newKey())
	f, err := s.create(name)
	if err == nil {
		_, err = f.Write([]byte{1})
		err = errors.Join(err, f.Close(), s.remove(name))
	}
	if err != nil {
		return fmt.Errorf("blob: ping: %w", chat.WordFull(err))
	}
	return nil
}
