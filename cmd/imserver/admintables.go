package main

import (
	"io"

	"github.com/onemeter/onemeter/server"
)

func accountsOf(accounts []server.Account) answer {
	if accounts == nil {
		accounts = []server.Account{}
	}
	return table(accounts, "ID USERNAME PHONE ROLE STATUS CREATED SEEN REASON", accounts, func(a server.Account) []any {
		reason := ""
		if a.Ban != nil {
			reason = a.Ban.Reason
		}
		return []any{a.ID, a.Username, a.Phone, a.Role, a.Status, a.CreatedAt, a.LastSeen, reason}
	})
}

func sessionTable(sessions []server.SessionInfo) func(io.Writer) {
	return table(nil, "CREATED USED IP DEVICE", sessions, func(s server.SessionInfo) []any {
		return []any{s.CreatedAt, s.LastUsed, s.IP, s.Device}
	}).words
}

func auditTable(entries []server.AuditEntry) answer {
	return table(nil, "ID TIME LEVEL MODULE BY IP TARGET MESSAGE", entries, func(e server.AuditEntry) []any {
		return []any{e.ID, e.CreatedAt, e.Level, e.Module, e.UserID, e.IP, e.Target, e.Message}
	})
}
