package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/onemeter/onemeter/server/chat"
)

const reportColumns = `k.id, k.reporter_id, k.user_id, k.message_id, k.reason, k.comment, k.content, k.pending,
	k.action, k.handled_by, k.handled_at, k.created_at`

func scanReport(r scanner) (x chat.Report, err error) {
	var pending sql.NullInt64
	var handled, created int64
	err = r.Scan(&x.ID, &x.ReporterID, &x.UserID, &x.MessageID, &x.Reason, &x.Comment, &x.Content, &pending,
		&x.Action, &x.HandledBy, &handled, &created)
	x.HandledAt, x.CreatedAt, x.Status = timeOf(handled), timeOf(created), chat.ReportDone
	if pending.Valid {
		x.Status = chat.ReportPending
	}
	return x, err
}

const waitingReport = `SELECT ` + reportColumns + ` FROM reports k WHERE k.reporter_id = ? AND k.user_id = ? AND k.message_id = ? AND k.pending = 1`

// CreateReport implements chat.StaffStore.
func (s *Store) CreateReport(ctx context.Context, r chat.Report, most int) (_ chat.Report, made bool, err error) {
	var id int64
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var waiting int
		err := row(ctx, t, `SELECT COUNT(*) FROM reports k WHERE k.reporter_id = ? AND k.pending = 1`, []any{r.ReporterID}, &waiting)
		if err != nil {
			return err
		}
		if waiting >= most {
			return chat.ErrConflict
		}
		result, err := exec(ctx, t, `INSERT INTO reports
			(reporter_id, user_id, message_id, reason, comment, content, pending, action, handled_by, handled_at, created_at)
			VALUES (?, ?, ?, ?, ?, ?, 1, '', 0, 0, ?)`, r.ReporterID, r.UserID, r.MessageID, r.Reason, r.Comment, r.Content, micros(r.CreatedAt))
		if err == nil {
			id, err = result.LastInsertId()
		}
		return err
	})
	if err == nil {
		r, err = s.Report(ctx, id)
		return r, true, err
	}
	if err = s.fail(ctx, "create report", err); !errors.Is(err, chat.ErrConflict) {
		return chat.Report{}, false, err
	}
	same, sameErr := one(ctx, s.read, scanReport, waitingReport, r.ReporterID, r.UserID, r.MessageID)
	if errors.Is(sameErr, sql.ErrNoRows) {
		return chat.Report{}, false, err
	}
	return same, false, s.fail(ctx, "create report", sameErr)
}

// Report implements chat.StaffStore.
func (s *Store) Report(ctx context.Context, id int64) (chat.Report, error) {
	r, err := one(ctx, s.read, scanReport, `SELECT `+reportColumns+` FROM reports k WHERE k.id = ?`, id)
	return r, s.fail(ctx, "report", err)
}

// Reports implements chat.StaffStore.
func (s *Store) Reports(ctx context.Context, q chat.ReportQuery) ([]chat.Report, int64, error) {
	var f filter
	order := " ORDER BY k.id"
	if f.add("k.pending = 1"); q.Handled {
		f = filter{}
		f.add("k.pending IS NULL")
		order += " DESC"
	}
	if q.UserID > 0 {
		f.add("k.user_id = ?", q.UserID)
	}
	total, err := f.count(ctx, s, "reports k", q.Count)
	if err != nil {
		return nil, 0, s.fail(ctx, "reports", err)
	}
	list, err := collect(ctx, s.read, scanReport, `SELECT `+reportColumns+` FROM reports k WHERE `+f.where()+order+` LIMIT ? OFFSET ?`,
		append(f.args, q.Limit, q.Offset)...)
	return list, total, s.fail(ctx, "reports", err)
}

// HandleReport implements chat.StaffStore.
func (s *Store) HandleReport(ctx context.Context, h chat.Handling) (notice chat.Notice, err error) {
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		var pending sql.NullInt64
		err := row(ctx, t, `SELECT k.pending FROM reports k WHERE k.id = ?`+s.dialect.forUpdate, []any{h.ReportID}, &pending)
		if err != nil {
			return err
		}
		if !pending.Valid {
			return chat.ErrConflict
		}
		_, err = exec(ctx, t, `UPDATE reports SET pending = NULL, action = ?, handled_by = ?, handled_at = ? WHERE id = ?`,
			string(h.Action), h.By, micros(h.At), h.ReportID)
		if err != nil {
			return err
		}
		if h.Notice != nil {
			if notice, err = addNotice(ctx, t, *h.Notice); err != nil {
				return err
			}
		}
		return addAudit(ctx, t, h.Entry)
	})
	return notice, s.fail(ctx, "handle report", err)
}
