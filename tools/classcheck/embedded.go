package main

import (
	"runtime/debug"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	apiserverconfig "k8s.io/apiserver/pkg/apis/apiserver/v1"
	apiserverconfigv1alpha1 "k8s.io/apiserver/pkg/apis/apiserver/v1alpha1"
	apiserverconfigv1beta1 "k8s.io/apiserver/pkg/apis/apiserver/v1beta1"
	audit "k8s.io/apiserver/pkg/apis/audit/v1"
	controllermanager "k8s.io/kube-controller-manager/config/v1alpha1"
	proxy "k8s.io/kube-proxy/config/v1alpha1"
	scheduler "k8s.io/kube-scheduler/config/v1"
	kubelet "k8s.io/kubelet/config/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	kubeadmv1beta3 "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta3"
	kubeadmv1beta4 "k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/v1beta4"
	podsecurity "k8s.io/pod-security-admission/admission/api/v1"
)

// configuration are the kinds of files that Kubernetes' programs read.
var configuration = func() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apiserverconfig.AddToScheme, apiserverconfigv1alpha1.AddToScheme, apiserverconfigv1beta1.AddToScheme,
		audit.AddToScheme, controllermanager.AddToScheme, proxy.AddToScheme, scheduler.AddToScheme,
		kubeadmv1beta3.AddToScheme, kubeadmv1beta4.AddToScheme, kubelet.AddToScheme, kubeletv1beta1.AddToScheme,
		podsecurity.AddToScheme,
	} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}()

// linkedKubernetes is the version whose types this program has, 1.34.10.
var linkedKubernetes = func() string {
	information, ok := debug.ReadBuildInfo()
	for i := 0; ok && i < len(information.Deps); i++ {
		if information.Deps[i].Path == "k8s.io/kubernetes" {
			return strings.TrimPrefix(information.Deps[i].Version, "v")
		}
	}
	return "unknown"
}()

// checkEmbedded decodes a configuration file strictly. A kind of somebody else is not judged.
func checkEmbedded(text string) findings {
	object := parseAll([]string{text})[0]
	if object == nil {
		return findings{}
	}
	kind := object.GroupVersionKind()
	if !configuration.Recognizes(kind) {
		if configuration.IsGroupRegistered(kind.Group) {
			known := sets.New[string]()
			for _, version := range configuration.PrioritizedVersionsForGroup(kind.Group) {
				known.Insert(version.String())
			}
			return findings{{noVersion, "apiVersion", kind.Kind + " does not exist in " + object.GetAPIVersion() +
				", known are " + strings.Join(sets.List(known), ", ")}}
		}
		return findings{}
	}
	codecs := serializer.NewCodecFactory(configuration, serializer.EnableStrict)
	_, _, err := codecs.UniversalDeserializer().Decode([]byte(text), nil, nil)
	if err == nil {
		return findings{}
	}
	found := findings{}
	for _, match := range quotedField.FindAllStringSubmatch(err.Error(), -1) {
		found = append(found, problem{unknownField, match[1], "unknown field"})
	}
	if len(found) == 0 {
		found = append(found, problem{invalid, "", err.Error()})
	}
	return found
}
