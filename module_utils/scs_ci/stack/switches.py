"""Feature gates and admission plugins of Kubernetes' programs, as the sources of 1.31.14 to 1.36.3 declare them.

A program that is given a name which its version does not have ends at once.
"""

from __future__ import annotations

from .arguments import FIRST, LAST

Changes = dict[int, tuple[str, ...]]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Of all programs: they share one list. Those of client-go stand in the first one, for they are in every minor.
GATES_FIRST = _names(
    'APIListChunking APIResponseCompression APIServerIdentity APIServerTracing APIServingWithRoutine '
    'AdmissionWebhookMatchConditions AggregatedDiscoveryEndpoint AllAlpha AllBeta AllowDNSOnlyNodeCSR '
    'AllowInsecureKubeletCertificateSigningRequests AllowServiceLBStatusOnNonLB AnonymousAuthConfigurableEndpoints '
    'AnyVolumeDataSource AppArmor AppArmorFields AuthorizeNodeWithSelectors AuthorizeWithSelectors CPUManager '
    'CPUManagerPolicyAlphaOptions CPUManagerPolicyBetaOptions CPUManagerPolicyOptions CRDValidationRatcheting '
    'CSIMigrationPortworx CSIVolumeHealth ClientsAllowCBOR ClientsPreferCBOR CloudControllerManagerWebhook '
    'CloudDualStackNodeIPs ClusterTrustBundle ClusterTrustBundleProjection ComponentSLIs ConcurrentWatchObjectDecode '
    'ConsistentListFromCache ContainerCheckpoint ContextualLogging CoordinatedLeaderElection '
    'CronJobsScheduledAnnotation CrossNamespaceVolumeDataSource CustomCPUCFSQuotaPeriod CustomResourceFieldSelectors '
    'DRAControlPlaneController DevicePluginCDIDevices DisableAllocatorDualWrite DisableCloudProviders '
    'DisableKubeletCloudCredentialProviders DisableNodeKubeProxyVersion DynamicResourceAllocation '
    'EfficientWatchResumption ElasticIndexedJob EventedPLEG ExecProbeTimeout GracefulNodeShutdown '
    'GracefulNodeShutdownBasedOnPodPriority HPAContainerMetrics HPAScaleToZero HonorPVReclaimPolicy '
    'ImageMaximumGCAge ImageVolume InOrderInformers InPlacePodVerticalScaling InTreePluginPortworxUnregister '
    'InformerResourceVersion JobBackoffLimitPerIndex JobManagedBy JobPodFailurePolicy JobPodReplacementPolicy '
    'JobSuccessPolicy KMSv1 KMSv2 KMSv2KDF KubeProxyDrainingTerminatingNodes KubeletCgroupDriverFromCRI '
    'KubeletInUserNamespace KubeletPodResourcesDynamicResources KubeletPodResourcesGet KubeletSeparateDiskGC '
    'KubeletTracing LegacyServiceAccountTokenCleanUp LoadBalancerIPMode '
    'LocalStorageCapacityIsolationFSQuotaMonitoring LogarithmicScaleDown LoggingAlphaOptions LoggingBetaOptions '
    'LoggingStableOptions MatchLabelKeysInPodAffinity MatchLabelKeysInPodTopologySpread MaxUnavailableStatefulSet '
    'MemoryManager MemoryQoS MinDomainsInPodTopologySpread MultiCIDRServiceAllocator MutatingAdmissionPolicy '
    'MyFeature NFTablesProxyMode NewVolumeManagerReconstruction NodeInclusionPolicyInPodTopologySpread NodeLogQuery '
    'NodeOutOfServiceVolumeDetach NodeSwap OpenAPIEnums OrderedNamespaceDeletion PDBUnhealthyPodEvictionPolicy '
    'PersistentVolumeLastPhaseTransitionTime PodAndContainerStatsFromCRI PodDeletionCost PodDisruptionConditions '
    'PodHostIPs PodIndexLabel PodLifecycleSleepAction PodReadyToStartContainersCondition PodSchedulingReadiness '
    'PortForwardWebsockets ProcMountType QOSReserved RecoverVolumeExpansionFailure RecursiveReadOnlyMounts '
    'RelaxedEnvironmentVariableValidation ReloadKubeletServerCertificateFile RemainingItemCount '
    'ResilientWatchCacheInitialization ResourceHealthStatus RetryGenerateName RotateKubeletServerCertificate '
    'RuntimeClassInImageCriApi SELinuxMount SELinuxMountReadWriteOncePod SchedulerQueueingHints '
    'SeparateCacheWatchRPC SeparateTaintEvictionController ServerSideApply ServerSideFieldValidation '
    'ServiceAccountTokenJTI ServiceAccountTokenNodeBinding ServiceAccountTokenNodeBindingValidation '
    'ServiceAccountTokenPodNodeInfo ServiceTrafficDistribution SidecarContainers SizeMemoryBackedVolumes '
    'StableLoadBalancerNodeSet StatefulSetAutoDeletePVC StatefulSetStartOrdinal StorageNamespaceIndex '
    'StorageVersionAPI StorageVersionHash StorageVersionMigrator StrictCostEnforcementForVAP '
    'StrictCostEnforcementForWebhooks StructuredAuthenticationConfiguration StructuredAuthorizationConfiguration '
    'SupplementalGroupsPolicy TopologyAwareHints TopologyManagerPolicyAlphaOptions TopologyManagerPolicyBetaOptions '
    'TopologyManagerPolicyOptions TranslateStreamCloseWebsocketRequests UnauthenticatedHTTP2DOSMitigation '
    'UnknownVersionInteroperabilityProxy UserNamespacesPodSecurityStandards UserNamespacesSupport '
    'ValidatingAdmissionPolicy VolumeAttributesClass VolumeCapacityPriority WatchBookmark '
    'WatchCacheInitializationPostStartHook WatchFromStorageWithoutResourceVersion WatchList WatchListClient WinDSR '
    'WinOverlay WindowsHostNetwork ZeroLimitedNominalConcurrencyShares '
)
GATES_SINCE: Changes = {
    32: _names(
        'AllowOverwriteTerminationGracePeriodSeconds AllowUnsafeMalformedObjectDeletion BtreeWatchCache '
        'CBORServingAndStorage ComponentFlagz ComponentStatusz DRAAdminAccess DRAResourceClaimDeviceStatus '
        'ExternalServiceAccountTokenSigner InPlacePodVerticalScalingAllocatedStatus '
        'InPlacePodVerticalScalingExclusiveCPUs KubeletCrashLoopBackOffMax KubeletFineGrainedAuthz '
        'KubeletRegistrationGetOnExistsOnly PodLevelResources PodLifecycleSleepActionAllowZero '
        'PodLogsQuerySplitStreams RelaxedDNSSearchValidation RemoteRequestHeaderUID SELinuxChangePolicy '
        'SchedulerAsyncPreemption ServiceAccountNodeAudienceRestriction WindowsCPUAndMemoryAffinity '
        'WindowsGracefulNodeShutdown '
    ),
    33: _names(
        'AggregatedDiscoveryRemoveBetaType AllowParsingUserUIDFromCertAuth ContainerStopSignals DRADeviceTaints '
        'DRAPartitionableDevices DRAPrioritizedList DeclarativeValidation DeclarativeValidationTakeover '
        'DeploymentReplicaSetTerminatingReplicas DisableCPUQuotaWithExclusiveCPUs GitRepoVolumeDriver '
        'HPAConfigurableTolerance KubeletEnsureSecretPulledImages KubeletPSI '
        'KubeletServiceAccountTokenForCredentialProviders LegacySidecarContainers ListFromCacheSnapshot '
        'MutableCSINodeAllocatableCount PodObservedGenerationTracking PodTopologyLabelsAdmission '
        'PreferSameTrafficDistribution ReduceDefaultCrashLoopBackOffDecay SchedulerPopFromBackoffQ '
        'StorageCapacityScoring StreamingCollectionEncodingToJSON StreamingCollectionEncodingToProtobuf '
        'StrictIPCIDRValidation '
    ),
    34: _names(
        'ClearingNominatedNodeNameAfterBinding ContainerRestartRules DRAConsumableCapacity '
        'DRADeviceBindingConditions DRAExtendedResource DRASchedulerFilterTimeout DetectCacheInconsistency EnvFiles '
        'HostnameOverride InPlacePodVerticalScalingExclusiveMemory KubeletPodResourcesListUseActivePods '
        'MatchLabelKeysInPodTopologySpreadSelectorMerge NominatedNodeNameForExpectation PodCertificateRequest '
        'PreventStaticPodAPIReferences ProbeHostPodSecurityStandards RelaxedServiceNameValidation '
        'SchedulerAsyncAPICalls SizeBasedListCostEstimate StructuredAuthenticationConfigurationEgressSelector '
        'TokenRequestServiceAccountUIDValidation '
    ),
    35: _names(
        'AuthorizePodWebsocketUpgradeCreatePermission CSIServiceAccountTokenSecrets '
        'CloudControllerManagerWatchBasedRoutesReconciliation ConstrainedImpersonation DRADeviceTaintRules '
        'GangScheduling GenericWorkload InPlacePodLevelResourcesVerticalScaling MutablePVNodeAffinity '
        'MutablePodResourcesForSuspendedJobs MutableSchedulingDirectivesForSuspendedJobs NodeDeclaredFeatures '
        'OpportunisticBatching RestartAllContainersOnContainerExits StructuredAuthenticationConfigurationJWKSMetrics '
        'TaintTolerationComparisonOperators UserNamespacesHostNetworkSupport VolumeLimitScaling '
    ),
    36: _names(
        'AllowServiceExternalIPs CRIListStreaming ChangeContainerStatusOnKubeletRestart '
        'ControllerManagerReleaseLeaderElectionLockOnExit DRAListTypeAttributes DRANodeAllocatableResources '
        'DRAResourceClaimGranularStatusAuthorization DRAResourcePoolStatus DRAWorkloadResourceClaims '
        'DeclarativeValidationBeta ExtendWebSocketsToKubelet ImageVolumeWithDigest '
        'InPlacePodVerticalScalingInitContainers ManifestBasedAdmissionControlConfig NativeHistograms '
        'PLEGOnDemandRelist PersistentVolumeClaimUnusedSinceTime PodLevelResourceManagers PodsAPI '
        'ResourceHealthStatusMessage ServiceCIDRStatusFieldWiping ShardedListAndWatch '
        'StaleControllerConsistencyDaemonSet StaleControllerConsistencyJob StaleControllerConsistencyReplicaSet '
        'StaleControllerConsistencyStatefulSet StatefulSetSemanticRevisionComparison TopologyAwareWorkloadScheduling '
        'WorkloadAwarePreemption WorkloadWithJob '
    ),
}
GATES_REMOVED: Changes = {
    32: _names(
        'CloudDualStackNodeIPs DRAControlPlaneController HPAContainerMetrics KMSv2 KMSv2KDF '
        'LegacyServiceAccountTokenCleanUp MinDomainsInPodTopologySpread NewVolumeManagerReconstruction '
        'NodeOutOfServiceVolumeDetach PodHostIPs ServerSideApply ServerSideFieldValidation StableLoadBalancerNodeSet '
        'ValidatingAdmissionPolicy ZeroLimitedNominalConcurrencyShares '
    ),
    33: _names(
        'APIListChunking AdmissionWebhookMatchConditions AggregatedDiscoveryEndpoint AppArmor AppArmorFields '
        'CPUManager DisableCloudProviders DisableKubeletCloudCredentialProviders EfficientWatchResumption '
        'JobPodFailurePolicy KubeProxyDrainingTerminatingNodes PDBUnhealthyPodEvictionPolicy '
        'PersistentVolumeLastPhaseTransitionTime RemainingItemCount VolumeCapacityPriority WatchBookmark '
    ),
    34: _names(
        'DevicePluginCDIDevices ElasticIndexedJob LegacySidecarContainers PodDisruptionConditions '
        'StatefulSetStartOrdinal '
    ),
    35: _names(
        'AllowServiceLBStatusOnNonLB ComponentSLIs CronJobsScheduledAnnotation LoadBalancerIPMode PodIndexLabel '
        'ProbeHostPodSecurityStandards SizeMemoryBackedVolumes StatefulSetAutoDeletePVC StrictCostEnforcementForVAP '
        'StrictCostEnforcementForWebhooks UserNamespacesPodSecurityStandards '
    ),
    36: _names(
        'CSIMigrationPortworx HonorPVReclaimPolicy InPlacePodVerticalScalingAllocatedStatus '
        'InTreePluginPortworxUnregister MemoryManager ServiceTrafficDistribution '
        'StructuredAuthorizationConfiguration TopologyAwareHints WatchFromStorageWithoutResourceVersion '
    ),
}

# Of the API server.
PLUGINS_FIRST = _names(
    'AlwaysAdmit AlwaysDeny AlwaysPullImages CertificateApproval CertificateSigning CertificateSubjectRestriction '
    'ClusterTrustBundleAttest DefaultIngressClass DefaultStorageClass DefaultTolerationSeconds '
    'DenyServiceExternalIPs EventRateLimit ExtendedResourceToleration ImagePolicyWebhook '
    'LimitPodHardAntiAffinityTopology LimitRanger MutatingAdmissionWebhook NamespaceAutoProvision NamespaceExists '
    'NamespaceLifecycle NodeRestriction OwnerReferencesPermissionEnforcement PersistentVolumeClaimResize '
    'PodNodeSelector PodSecurity PodTolerationRestriction Priority ResourceQuota RuntimeClass ServiceAccount '
    'StorageObjectInUseProtection TaintNodesByCondition ValidatingAdmissionPolicy ValidatingAdmissionWebhook '
)
PLUGINS_SINCE: Changes = {
    32: _names('MutatingAdmissionPolicy '),
    33: _names('PodTopologyLabels '),
    35: _names('NodeDeclaredFeatureValidator '),
    36: _names('JobValidation PodGroupProtection PodGroupWorkloadExists PodResizeValidator '),
}
PLUGINS_REMOVED: Changes = {}


def of(minor: int, first: tuple[str, ...], since: Changes, removed: Changes) -> frozenset[str]:
    """The names that a minor from FIRST to LAST has."""
    names = set(first)
    for step in range(FIRST + 1, minor + 1):
        names = (names | set(since.get(step, ()))) - set(removed.get(step, ()))
    return frozenset(names)


def gates(minor: int) -> frozenset[str]:
    """Feature gates of 1.<minor>."""
    return of(minor, GATES_FIRST, GATES_SINCE, GATES_REMOVED)


def plugins(minor: int) -> frozenset[str]:
    """Admission plugins of 1.<minor>."""
    return of(minor, PLUGINS_FIRST, PLUGINS_SINCE, PLUGINS_REMOVED)


def known(minor: int) -> bool:
    """Whether the names of this minor are known here."""
    return FIRST <= minor <= LAST
