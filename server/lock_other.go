//go:build !unix

package server

// lock does nothing: file locks are implemented for Unix only.
func (s *Server) lock(string) error { return nil }
