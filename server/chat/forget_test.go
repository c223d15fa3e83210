package chat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestUnusedFilesAreRemoved uploads files, sends some of them, recalls some of the messages,
// and waits for a day.
func TestUnusedFilesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben := w.user(t), w.user(t)
		upload := func() chat.File {
			t.Helper()
			f, err := n.Upload(t.Context(), ann, chat.Upload{Name: "f", Body: strings.NewReader("bytes")})
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		send := func(f chat.File) chat.Message {
			t.Helper()
			m, err := n.Send(t.Context(), ann, chat.Draft{Target: chat.Target{ReceiverID: ben.UserID}, Type: chat.TypeFile, FileID: f.ID})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		there := func(f chat.File) bool {
			t.Helper()
			_, body, err := n.OpenFile(t.Context(), ann, f.ID)
			if err == nil {
				_ = body.Close()
			} else if chat.KindOf(err) != chat.KindNotFound {
				t.Error(err)
			}
			bytes, blobErr := w.blobs.Open(t.Context(), f.Key)
			if blobErr == nil {
				_ = bytes.Close()
			}
			if (blobErr == nil) != (err == nil) {
				t.Errorf("the file: %v, its bytes: %v", err, blobErr)
			}
			return err == nil
		}
		forgotten, sent, recalled, deleted, picture := upload(), upload(), upload(), upload(), upload()
		send(sent)
		_, err1 := n.Recall(t.Context(), ann, send(recalled).ID)
		_, err2 := n.Delete(t.Context(), ann, send(deleted).ID)
		avatar := fmt.Sprintf("/api/files/%d/download", picture.ID)
		_, err3 := n.UpdateMe(t.Context(), ann, chat.Profile{Avatar: &avatar})
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		for _, f := range []chat.File{forgotten, sent, recalled, deleted, picture} {
			if !there(f) {
				t.Errorf("file %d is gone before its day", f.ID)
			}
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		for f, want := range map[chat.File]bool{forgotten: false, sent: true, recalled: false, deleted: false, picture: true} {
			if there(f) != want {
				t.Errorf("a day later file %d is there: %v, want %v", f.ID, !want, want)
			}
		}
		n.Close()
	})
}

// stubbornBlobs fail to delete while they are set to.
type stubbornBlobs struct {
	chat.Blobs
	refuse atomic.Bool
}

func (b *stubbornBlobs) Delete(ctx context.Context, key string) error {
	if b.refuse.Load() {
		return errors.New("not now")
	}
	return b.Blobs.Delete(ctx, key)
}

// TestFailedDeletionOfBytesIsRetried deletes a file of a message while the blob store is
// unavailable.
func TestFailedDeletionOfBytesIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var blobs *stubbornBlobs
		n := w.node(t, nil, func(c *chat.Config) {
			blobs = &stubbornBlobs{Blobs: c.Blobs}
			c.Blobs = blobs
		})
		ann, ben := w.user(t), w.user(t)
		f, err := n.Upload(t.Context(), ann, chat.Upload{Name: "f", Body: strings.NewReader("bytes")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.Send(t.Context(), ann, chat.Draft{Target: chat.Target{ReceiverID: ben.UserID}, Type: chat.TypeFile, FileID: f.ID})
		if err != nil {
			t.Fatal(err)
		}
		there := func() bool {
			t.Helper()
			bytes, err := w.blobs.Open(t.Context(), f.Key)
			if err == nil {
				_ = bytes.Close()
			}
			return err == nil
		}
		blobs.refuse.Store(true)
		if err := n.DeleteFile(t.Context(), ann, f.ID); err != nil || !there() {
			t.Fatal("deleting:", err, there())
		}
		if _, err := n.File(t.Context(), ben, f.ID); chat.KindOf(err) != chat.KindNotFound {
			t.Error("it is shown:", err)
		}
		blobs.refuse.Store(false)
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		if there() {
			t.Error("the bytes are there a day later")
		}
		n.Close()
	})
}
