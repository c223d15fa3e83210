package chat

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

const (
	notExported = "data not exported"
	exportPage  = 200
)

// An Export writes an archive of a user's data. BeginExport returns one.
type Export struct {
	s     *Service
	c     Caller
	place string

	zip             *zip.Writer
	messages, files int
	bytes           int64
	missing         []int64 // ids of files without bytes
}

// BeginExport starts an export of the caller's data. A user may run one at a time on a
// node, and a few a day; otherwise the error is RateLimited. The caller closes the
// Export.
func (s *Service) BeginExport(ctx context.Context, c Caller) (*Export, error) {
	place := fmt.Sprint("export ", c.UserID)
	if !s.inFlight.enter(place, 1) {
		return nil, tooFast(notExported, "an export of your data is already running", time.Minute)
	}
	if s.cfg.Exports != nil {
		if wait := s.cfg.Exports.Take(ctx, c.UserID); wait > 0 {
			s.inFlight.leave(place)
			return nil, tooFast(notExported, "you have exported your data too often", wait.Truncate(time.Second)+time.Second)
		}
	}
	return &Export{s: s, c: c, place: place}, nil
}

// Close ends the export. It is idempotent.
func (e *Export) Close() {
	if e.place != "" {
		e.s.inFlight.leave(e.place)
		e.place = ""
	}
}

// Write writes the archive as a zip file. Its last entry is complete.json. A truncated
// archive lacks this and the zip's directory, so it does not open. Write keeps one page
// of messages and one buffer of a file in memory. It stops when the session ends. Once the
// client has gone or a write to it has failed, any error counts as cancelled.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	out := &sink{w: w}
	e.zip = zip.NewWriter(out)
	err := e.write(ctx)
	d := Exported{Bytes: e.bytes, Outcome: ExportComplete}
	switch {
	case err == nil:
	case out.failed, ctx.Err() != nil, KindOf(err) == KindUnauthenticated:
		d.Outcome = ExportCancelled
	default:
		d.Outcome = ExportFailed
	}
	e.s.cfg.Hooks.exported(ctx, d)
	return err
}

// A sink remembers whether its writer failed, which means that the client went away or is
// too slow.
type sink struct {
	w      io.Writer
	failed bool
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.failed = s.failed || err != nil
	return n, err
}

func (e *Export) write(ctx context.Context) error {
	for _, part := range []func(context.Context) error{e.profile, e.friends, e.conversations, e.fileBytes} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	done := map[string]any{"complete": true, "messages": e.messages, "files": e.files, "files_without_bytes": e.missing, "at": e.s.cfg.Now()}
	if err := e.json("complete.json", done); err != nil {
		return err
	}
	return e.zip.Close()
}

// entry begins a file of the archive. If the session has ended, it returns an error.
func (e *Export) entry(ctx context.Context, name string, at time.Time, method uint16) (io.Writer, error) {
	if err := e.alive(ctx); err != nil {
		return nil, err
	}
	return e.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: at})
}

func (e *Export) alive(ctx context.Context) error {
	alive, err := e.s.Alive(ctx, e.c)
	if err == nil && !alive {
		err = Errorf(KindUnauthenticated, notExported, "the session has ended")
	}
	return err
}

// json writes a file with one JSON value.
func (e *Export) json(name string, v any) error {
	w, err := e.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.s.cfg.Now()})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (e *Export) profile(ctx context.Context) error {
	u, err := e.s.Me(ctx, e.c)
	if err != nil {
		return err
	}
	return e.json("profile.json", u)
}

// lines writes a file of JSON lines. next returns the next page, which is empty at the end.
func lines[T any](ctx context.Context, e *Export, name string, next func() ([]T, error)) error {
	w, err := e.entry(ctx, name, e.s.cfg.Now(), zip.Deflate)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	for {
		page, err := next()
		if err != nil || len(page) == 0 {
			return err
		}
		for _, v := range page {
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		if err := errors.Join(e.zip.Flush(), e.alive(ctx)); err != nil {
			return err
		}
	}
}

func (e *Export) friends(ctx context.Context) error {
	after := int64(0)
	return lines(ctx, e, "friends.jsonl", func() ([]User, error) {
		page, err := e.s.cfg.Store.FriendsAfter(ctx, e.c.UserID, after, exportPage)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		after = page[len(page)-1].ID
		return e.s.asSeenBy(ctx, e.c.UserID, page)
	})
}

// conversations writes the list of conversations, and then the messages of each. It lists
// them by id, because the order by newest message changes during the export.
func (e *Export) conversations(ctx context.Context) error {
	var ids []int64
	after := int64(0)
	err := lines(ctx, e, "conversations.jsonl", func() ([]Dialog, error) {
		page, err := e.s.cfg.Store.DialogsAfter(ctx, e.c.UserID, after, exportPage)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		for _, d := range page {
			ids, after = append(ids, d.ID), d.ID
		}
		return page, e.s.dialogsSeenBy(ctx, e.c.UserID, page)
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := e.history(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (e *Export) history(ctx context.Context, id int64) error {
	after := int64(0)
	return lines(ctx, e, fmt.Sprintf("messages/%d.jsonl", id), func() ([]Message, error) {
		page, _, err := e.s.cfg.Store.Messages(ctx, MessageQuery{
			UserID: e.c.UserID, ConversationID: id, Ascending: true, AfterSeq: after, Limit: exportPage,
		})
		if err != nil || len(page) == 0 {
			return nil, err
		}
		after = page[len(page)-1].Seq
		e.messages += len(page)
		return page, e.s.listWithoutTraces(ctx, e.c.UserID, page)
	})
}

// fileBytes writes the user's uploads: their metadata and their bytes. The bytes are not
// compressed, because most media files already are.
func (e *Export) fileBytes(ctx context.Context) error {
	for after := int64(0); ; {
		page, err := e.s.cfg.Store.FilesAfter(ctx, e.c.UserID, after, exportPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, f := range page {
			if err := e.file(ctx, f); err != nil {
				return err
			}
			after = f.ID
		}
	}
}

func (e *Export) file(ctx context.Context, f File) (err error) {
	if err := e.json(fmt.Sprintf("files/%d.json", f.ID), f); err != nil {
		return err
	}
	body, err := e.s.cfg.Blobs.Open(ctx, f.Key)
	if errors.Is(err, ErrNotFound) {
		e.missing = append(e.missing, f.ID)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	w, err := e.entry(ctx, fmt.Sprintf("files/%d-%s", f.ID, entryName(f.Name)), f.CreatedAt, zip.Store)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, body)
	e.files, e.bytes = e.files+1, e.bytes+n
	if err == nil && n != f.Size {
		err = fmt.Errorf("file %d has %d bytes in the blob store, want %d", f.ID, n, f.Size)
	}
	return err
}

// entryName turns a file's name into one that every system can unpack: without folders,
// and without characters that Windows does not allow.
func entryName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || misleads(r) {
			return '_'
		}
		return r
	}, name)
	return strings.Trim(path.Base(name), ". ")
}
