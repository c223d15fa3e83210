package check

import (
	"bytes"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// manifests are what kustomize makes of the folder.
type manifests struct {
	deployment apps.Deployment
	service    core.Service
	budget     policy.PodDisruptionBudget
	monitor    monitoring.ServiceMonitor
	settings   core.ConfigMap
}

// build decodes strictly: a field that Kubernetes does not know is a fault.
func build(t *testing.T, folder string) (m manifests) {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, policy.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(bytes.TrimSpace(text), nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch o := object.(type) {
		case *apps.Deployment:
			m.deployment = *o
		case *core.Service:
			m.service = *o
		case *policy.PodDisruptionBudget:
			m.budget = *o
		case *monitoring.ServiceMonitor:
			m.monitor = *o
		case *core.ConfigMap:
			m.settings = *o
		default:
			t.Errorf("what is a %T for?", o)
		}
	}
	return m
}

func TestKubernetesPod(t *testing.T) {
	m := build(t, "../kubernetes")
	pod := m.deployment.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers", len(pod.Containers))
	}
	c := pod.Containers[0]
	isPinned(t, c.Image)
	for what, probe := range map[string]*core.Probe{"/healthz ": c.LivenessProbe, "/healthz": c.StartupProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != what && probe.HTTPGet.Path+" " != what || probe.HTTPGet.Port != intstr.FromString("http") {
			t.Errorf("the probe of %s is %+v", what, probe)
		}
	}
	if len(c.Ports) != 1 || c.Ports[0].Name != "http" || c.Ports[0].ContainerPort != 8080 {
		t.Errorf("ports are %+v", c.Ports)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources are %+v", c.Resources)
	}
	s := c.SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Capabilities.Drop[0] != "ALL" {
		t.Errorf("the pod may do too much: %+v", s)
	}

	timeout, err := time.ParseDuration(m.settings.Data["IM_SHUTDOWN_TIMEOUT"])
	if err != nil {
		t.Fatal(err)
	}
	sleep := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace <= sleep+timeout {
		t.Errorf("killed after %v, with a shutdown of %v and a sleep of %v", grace, timeout, sleep)
	}
	for name := range m.settings.Data {
		isSetting(t, name)
	}
	if m.settings.Data["IM_CONSOLE"] != "false" {
		t.Error("the ingress would show the console of the nodes to the world")
	}
	if c.EnvFrom[0].ConfigMapRef.Name != m.settings.Name || c.EnvFrom[1].SecretRef.Name != "imserver" {
		t.Errorf("settings come from %+v", c.EnvFrom)
	}
}

// TestKubernetesSelectors wants everything to mean the pods of the deployment.
func TestKubernetesSelectors(t *testing.T) {
	m := build(t, "../kubernetes")
	pods := labels.Set(m.deployment.Spec.Template.Labels)
	for what, selector := range map[string]*meta.LabelSelector{
		"deployment": m.deployment.Spec.Selector, "budget": m.budget.Spec.Selector,
		"service": {MatchLabels: m.service.Spec.Selector}, "spread": m.deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		s, err := meta.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() || !s.Matches(pods) {
			t.Errorf("the %s selects %v, pods are %v (%v)", what, s, pods, err)
		}
	}
	if s, err := meta.LabelSelectorAsSelector(&m.monitor.Spec.Selector); err != nil || s.Empty() || !s.Matches(labels.Set(m.service.Labels)) {
		t.Errorf("the monitor selects %v, the service is %v (%v)", s, m.service.Labels, err)
	}
	end := m.monitor.Spec.Endpoints[0]
	if end.Port != m.service.Spec.Ports[0].Name || end.Authorization.Credentials.Name != "imserver" || end.Authorization.Credentials.Key != "IM_METRICS_TOKEN" {
		t.Errorf("scrapes by %+v", end)
	}
	if m.service.Name != "imserver" || m.service.Spec.Ports[0].TargetPort != intstr.FromString("http") {
		t.Errorf("service %s: %+v", m.service.Name, m.service.Spec.Ports)
	}
	if m.budget.Spec.MaxUnavailable.IntValue() >= int(*m.deployment.Spec.Replicas) {
		t.Error("the budget lets all pods go")
	}
}

// TestKubernetesConsole wants the console's Service to find the console, and the
// server's not to; it asks the server's Service, and is alive without it.
func TestKubernetesConsole(t *testing.T) {
	console, server := build(t, "../kubernetes/imadmin"), build(t, "../kubernetes")
	pods := labels.Set(console.deployment.Spec.Template.Labels)
	if s := labels.SelectorFromSet(console.service.Spec.Selector); s.Empty() || !s.Matches(pods) {
		t.Errorf("the service selects %v, pods are %v", s, pods)
	}
	if labels.SelectorFromSet(server.service.Spec.Selector).Matches(pods) {
		t.Error("the server's service finds the console")
	}
	pod := console.deployment.Spec.Template.Spec
	c := pod.Containers[0]
	isPinned(t, c.Image)
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	if env["IMADMIN_BACKEND"] != "http://"+server.service.Name || env["IMADMIN_ADDR"] != ":3001" || c.Ports[0].ContainerPort != 3001 {
		t.Errorf("%v, ports %+v", env, c.Ports)
	}
	for what, probe := range map[string]*core.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != "/health" {
			t.Errorf("the %s probe is %+v", what, probe)
		}
	}
	if s := c.SecurityContext; !*pod.SecurityContext.RunAsNonRoot || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.Capabilities.Drop[0] != "ALL" {
		t.Errorf("the pod may do too much: %+v", s)
	}
	if console.service.Spec.Type != "" && console.service.Spec.Type != core.ServiceTypeClusterIP {
		t.Errorf("the console is open to the world: %s", console.service.Spec.Type)
	}
}
