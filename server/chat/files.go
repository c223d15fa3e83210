package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A File is an uploaded file. Its uploader may read it, and the members of every
// conversation to which it was sent.
type File struct {
	ID          int64     `json:"id"`
	OwnerID     int64     `json:"owner_id"`
	Name        string    `json:"name"` // given by the client; a label, never a path
	Size        int64     `json:"size"` // bytes
	ContentType string    `json:"content_type"`
	SHA256      string    `json:"sha256"` // hex
	Key         string    `json:"-"`      // its key in the blob store
	CreatedAt   time.Time `json:"created_at"`
	Deleted     bool      `json:"-"` // only in UnusedFiles
}

// An Upload is a file that a client uploads.
type Upload struct {
	Name        string
	ContentType string
	Body        io.Reader
}

const (
	maxFileName     = 255
	maxContentType  = 255
	notUploaded     = "file not stored"
	defaultMIMEType = "application/octet-stream"
)

// A Quota limits the bytes of stored files; 0 means no limit.
type Quota struct {
	User  int64 // of one user
	Total int64 // of all
}

// uploadsPerUser is the most concurrent uploads of a user. Their bytes count for the quota
// only once they are complete.
const uploadsPerUser = 8

// Upload stores a file. The errors for limits are TooLarge for the file's size and the
// user's quota, and NoSpace for the quota of all users and a full disk.
func (s *Service) Upload(ctx context.Context, c Caller, up Upload) (File, error) {
	if err := s.pace(ctx, c, notUploaded); err != nil {
		return File{}, err
	}
	contentType, err := cleanType(up.ContentType)
	if err != nil {
		return File{}, err
	}
	place := fmt.Sprint("upload ", c.UserID)
	if !s.inFlight.enter(place, uploadsPerUser) {
		return File{}, tooFast(notUploaded, "too many uploads at once", time.Second)
	}
	defer s.inFlight.leave(place)
	room, full, err := s.quotaRoom(ctx, c)
	if err != nil {
		return File{}, err
	}
	body := &meter{r: up.Body, limit: s.cfg.Limits.MaxUpload, room: room, full: full}
	hash := sha256.New()
	key, err := s.cfg.Blobs.Put(ctx, io.TeeReader(body, hash))
	if err != nil {
		return File{}, err
	}
	f, err := s.cfg.Store.CreateFile(ctx, File{
		OwnerID: c.UserID, Name: cleanName(up.Name), Size: body.n,
		ContentType: contentType,
		SHA256:      hex.EncodeToString(hash.Sum(nil)),
		Key:         key, CreatedAt: s.cfg.Now(),
	}, s.cfg.Limits.Quota)
	if err != nil {
		err = s.quotaError(err)
		// The client has no id of these bytes, and must upload them again.
		return File{}, errors.Join(err, s.cfg.Blobs.Delete(context.WithoutCancel(ctx), key))
	}
	s.cfg.Hooks.fileStored(ctx, f.Size)
	return f, nil
}

// quotaRoom returns how many bytes the caller's next file can have, and the error for a
// larger one. So an upload that exceeds the quota ends before all its bytes are stored.
func (s *Service) quotaRoom(ctx context.Context, c Caller) (room int64, full error, err error) {
	q := s.cfg.Limits.Quota
	if q == (Quota{}) {
		return math.MaxInt64, nil, nil
	}
	user, total, err := s.cfg.Store.FileBytes(ctx, c.UserID)
	if err != nil {
		return 0, nil, err
	}
	room = math.MaxInt64
	if q.User > 0 {
		room, full = max(q.User-user, 0), s.quotaError(ErrUserFull)
	}
	if q.Total > 0 && q.Total-total < room {
		room, full = max(q.Total-total, 0), s.quotaError(ErrFull)
	}
	return room, full, nil
}

// quotaError turns a store's error about a quota into an Error.
func (s *Service) quotaError(err error) error {
	switch {
	case errors.Is(err, ErrUserFull):
		return Errorf(KindTooLarge, notUploaded, "all your files together can have at most %s: delete some of them, or their messages",
			formatBytes(s.cfg.Limits.Quota.User))
	case errors.Is(err, ErrFull):
		return Errorf(KindNoSpace, notUploaded, "the files of all users have reached the operator's limit of %s: ask the operator for more",
			formatBytes(s.cfg.Limits.Quota.Total))
	}
	return err
}

// formatBytes formats a number of bytes, such as 10 GiB or 1.5 MiB.
func formatBytes(bytes int64) string {
	size, unit := float64(bytes), 0
	for ; size >= 1024 && unit < 3; unit++ {
		size /= 1024
	}
	return strconv.FormatFloat(size, 'g', 4, 64) + " " + [...]string{"bytes", "KiB", "MiB", "GiB"}[unit]
}

// File returns a file that the caller may read, without its content. Otherwise the error
// is NotFound.
func (s *Service) File(ctx context.Context, c Caller, id int64) (File, error) {
	const what, why = "no such file", "it does not exist, or was not sent to you"
	ok, err := s.cfg.Store.MayRead(ctx, id, c.UserID)
	if err != nil {
		return File{}, orNotFound(err, what, why)
	}
	if !ok {
		return File{}, Errorf(KindNotFound, what, why)
	}
	f, err := s.cfg.Store.File(ctx, id)
	return f, orNotFound(err, what, why)
}

// OpenFile is File with the content. The caller closes it.
func (s *Service) OpenFile(ctx context.Context, c Caller, id int64) (File, io.ReadSeekCloser, error) {
	f, err := s.File(ctx, c, id)
	if err != nil {
		return File{}, nil, err
	}
	body, err := s.cfg.Blobs.Open(ctx, f.Key)
	return f, body, orNotFound(err, "no such file", "its content was lost: ask the operator")
}

// A meter counts the bytes that it reads, and returns an error after limit or room.
type meter struct {
	r        io.Reader
	n, limit int64
	room     int64 // bytes left of the quota
	full     error // returned after room
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	if m.n > m.limit {
		return n, m.tooLarge()
	}
	if m.n > m.room {
		return n, m.beyond(err)
	}
	return n, err
}

// beyond reads on up to limit, and drops what it reads: a file that is too large by itself fits at no time, so that error
// comes before full.
func (m *meter) beyond(err error) error {
	if err == nil {
		var more int64
		more, err = io.Copy(io.Discard, io.LimitReader(m.r, m.limit-m.n+1))
		m.n += more
	}
	switch {
	case m.n > m.limit:
		return m.tooLarge()
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	return m.full
}

func (m *meter) tooLarge() error {
	return Errorf(KindTooLarge, notUploaded, "a file can have at most %d bytes", m.limit)
}

// cleanName returns the last part of a file name that a client gave, which may be a path of
// Unix or Windows, without characters that could mislead a reader or a terminal.
func cleanName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if misleads(r) {
			return -1
		}
		return r
	}, name)
	for len(name) > maxFileName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	visible := strings.ContainsFunc(name, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
	if !visible || name == "." || name == ".." || name == "/" {
		return "file"
	}
	return name
}

// misleads reports whether a name with r can look like another one. This is so for control
// characters, line ends, byte order marks, and characters that reverse text, as in
// "e\u202egpj.exe". Joiners, tags and direction marks are allowed, because Persian and
// Indian words, emoji and flags need them.
func misleads(r rune) bool {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff', '\ufff9' <= r && r <= '\ufffb':
		return true
	case '\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069': // embeddings, overrides, isolates
		return true
	}
	return false
}

// cleanType returns a media type in the form that is stored and sent, or the default if it
// does not parse. In this form, bytes of parameters that are not ASCII take three times
// the space.
func cleanType(s string) (string, error) {
	mediaType, params, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(mediaType, "/") {
		return defaultMIMEType, nil
	}
	formatted := mime.FormatMediaType(mediaType, params)
	switch {
	case formatted == "":
		return defaultMIMEType, nil
	case len(formatted) > maxContentType:
		return "", Errorf(KindInvalid, notUploaded, "the part's Content-Type has %d bytes, at most %d are allowed", len(formatted), maxContentType)
	}
	return formatted, nil
}
