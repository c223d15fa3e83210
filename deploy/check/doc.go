// Package check tests what operators start: the compose files by compose's own
// loader, the manifests by kustomize and Kubernetes's own types, the Dockerfile
// by building what it builds. It is a module of its own for what that needs.
package check
