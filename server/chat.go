package server

import (
	"context"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// openChat opens the database and the files, and the domain on top of them.
func (s *Server) openChat(ctx context.Context, seen *observe.Observer) error {
	if err := s.openStore(ctx, seen); err != nil {
		return err
	}
	blobs, err := s.openBlobs(ctx, seen)
	if err != nil {
		return err
	}
	secret, err := s.secret()
	if err != nil {
		return err
	}
	codes, err := auth.NewCodes(secret, "Onemeter")
	if err != nil {
		return err
	}
	cfg := chat.Config{
		Store: s.store, Blobs: blobs, Bus: s.bus, Presence: s.bus,
		Hasher: auth.NewHasher(), Signer: auth.NewSigner(secret), Usernames: auth.Usernames{},
		Local:           s.cfg.Redis == "" && s.store.Engine() == "sqlite",
		ContactsOnly:    s.cfg.Contacts,
		ModerationReads: s.cfg.ModerationReads,
		Codes:           codes, RequireTwoFactor: chat.TwoFactorRequired(s.cfg.RequireTwoFactor),
		Limits: chat.Limits{
			MaxContent: s.cfg.MaxContent, MaxUpload: s.cfg.MaxUpload, MaxMembers: s.cfg.MaxMembers,
			Quota:    chat.Quota{User: s.cfg.UserQuota, Total: s.cfg.TotalQuota},
			TokenTTL: s.cfg.TokenTTL, SessionTTL: s.cfg.SessionTTL,
			Writers: s.writers(), CommitEvery: s.commitEvery(),
		},
		EndCall: func(ctx context.Context, by, other int64) error { return s.calls.EndCall(ctx, by, other) }, // s.calls is set before anybody can call
		Hooks:   seen.Chat(), Tracer: seen.Tracer(), Log: s.log,
	}
	s.addCaches(&cfg)
	s.addLimits(&cfg)
	s.chat = chat.New(cfg)
	s.watchBacklog()
	return nil
}
