// The Go types of the provider specification, sections 5, 7 and 9.3, as they stand there.

type CreateResourceRequest struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    Config       map[string]interface{} `json:"config"`
}

type CreateResourceResponse struct {
    Success    bool                   `json:"success"`
    ResourceID string                 `json:"resource_id,omitempty"`
    State      map[string]interface{} `json:"state,omitempty"`
    Error      string                 `json:"error,omitempty"`
}

type ReadResourceRequest struct {
    ResourceType string `json:"resource_type"`
    Name         string `json:"name"`
}

type ReadResourceResponse struct {
    Success bool                   `json:"success"`
    Exists  bool                   `json:"exists"`
    State   map[string]interface{} `json:"state,omitempty"`
    Error   string                 `json:"error,omitempty"`
}

type UpdateResourceRequest struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    Config       map[string]interface{} `json:"config"`
    PriorState   map[string]interface{} `json:"prior_state,omitempty"`
}

type UpdateResourceResponse struct {
    Success bool                   `json:"success"`
    State   map[string]interface{} `json:"state,omitempty"`
    Error   string                 `json:"error,omitempty"`
}

type DeleteResourceRequest struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    State        map[string]interface{} `json:"state,omitempty"`
}

type DeleteResourceResponse struct {
    Success           bool                   `json:"success"`
    QuarantineLocation string                `json:"quarantine_location,omitempty"`
    BeforeState       map[string]interface{} `json:"before_state,omitempty"`
    Error             string                 `json:"error,omitempty"`
}

type DiscoverResourcesRequest struct {
    ResourceType string                 `json:"resource_type"`
    Filters      map[string]interface{} `json:"filters,omitempty"`
}

type DiscoverResourcesResponse struct {
    Success   bool                     `json:"success"`
    Resources []DiscoveredResource     `json:"resources"`
    Error     string                   `json:"error,omitempty"`
}

type DiscoveredResource struct {
    Type   string                 `json:"type"`
    Name   string                 `json:"name"`
    Config map[string]interface{} `json:"config"`
    State  map[string]interface{} `json:"state"`
}

type PlanRequest struct {
    Resources []PlanResource `json:"resources"`
}

type PlanResource struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    Config       map[string]interface{} `json:"config"`
    Action       string                 `json:"action"` // "create", "update", "delete"
}

type PlanResponse struct {
    Success        bool              `json:"success"`
    ExecutionOrder []string          `json:"execution_order"`
    Resources      []PlannedResource `json:"resources"`
    Warnings       []string          `json:"warnings,omitempty"`
    Error          string            `json:"error,omitempty"`
}

type PlannedResource struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    Action       string                 `json:"action"`
    Changes      map[string]interface{} `json:"changes,omitempty"`
    Dependencies []string               `json:"dependencies,omitempty"`
}

type ApplyResponse struct {
    Success  bool                   `json:"success"`
    Results  []ApplyResult          `json:"results"`
    Summary  ApplySummary           `json:"summary"`
    Error    string                 `json:"error,omitempty"`
}

type ApplyResult struct {
    ResourceType string                 `json:"resource_type"`
    Name         string                 `json:"name"`
    Action       string                 `json:"action"`
    Success      bool                   `json:"success"`
    State        map[string]interface{} `json:"state,omitempty"`
    Error        string                 `json:"error,omitempty"`
}

type ApplySummary struct {
    Created   int `json:"created"`
    Updated   int `json:"updated"`
    Deleted   int `json:"deleted"`
    Unchanged int `json:"unchanged"`
    Failed    int `json:"failed"`
}

type StateRequest struct {
    // Empty - returns full state
}

type StateResponse struct {
    Success   bool           `json:"success"`
    State     *ProviderState `json:"state,omitempty"`
    Error     string         `json:"error,omitempty"`
}

type SetStateRequest struct {
    State *ProviderState `json:"state"`
}

type SetStateResponse struct {
    Success bool   `json:"success"`
    Error   string `json:"error,omitempty"`
}

type ProviderState struct {
    Version    string             `json:"version"`
    Provider   string             `json:"provider"`
    Resources  []ResourceInstance `json:"resources"`
    Metadata   map[string]interface{} `json:"metadata,omitempty"`
    UpdatedAt  time.Time          `json:"updated_at"`
}

type ResourceInstance struct {
    Type       string                 `json:"type"`
    Name       string                 `json:"name"`
    Provider   string                 `json:"provider"`
    Status     string                 `json:"status"` // "active", "quarantined", "deleted"
    Config     map[string]interface{} `json:"config"`
    State      map[string]interface{} `json:"state"`
    Metadata   map[string]interface{} `json:"metadata,omitempty"`
    CreatedAt  time.Time              `json:"created_at"`
    UpdatedAt  time.Time              `json:"updated_at"`
}

type MigrationRequest struct {
    MigrationID   string                 `json:"migration_id"`
    ResourceType  string                 `json:"resource_type"`
    ResourceName  string                 `json:"resource_name"`
    FromState     map[string]interface{} `json:"from_state"`
    ToState       map[string]interface{} `json:"to_state"`
    Options       MigrationOptions       `json:"options,omitempty"`
}

type MigrationOptions struct {
    DryRun           bool `json:"dry_run"`
    AllowDataLoss    bool `json:"allow_data_loss"`
    BackupBeforeMigration bool `json:"backup_before_migration"`
    Timeout          int  `json:"timeout_seconds"`
}

type MigrationPlanResponse struct {
    Success      bool              `json:"success"`
    MigrationID  string            `json:"migration_id"`
    Steps        []MigrationStep   `json:"steps"`
    Warnings     []string          `json:"warnings,omitempty"`
    DataLossRisk bool              `json:"data_loss_risk"`
    Error        string            `json:"error,omitempty"`
}

type MigrationStep struct {
    Order       int    `json:"order"`
    Description string `json:"description"`
    SQL         string `json:"sql,omitempty"`
    Reversible  bool   `json:"reversible"`
}

type MigrationApplyResponse struct {
    Success       bool              `json:"success"`
    MigrationID   string            `json:"migration_id"`
    ExecutedSteps []MigrationStep   `json:"executed_steps"`
    BackupPath    string            `json:"backup_path,omitempty"`
    Duration      time.Duration     `json:"duration"`
    Error         string            `json:"error,omitempty"`
}

type MigrationRollbackResponse struct {
    Success       bool              `json:"success"`
    MigrationID   string            `json:"migration_id"`
    RolledBackSteps []MigrationStep `json:"rolled_back_steps"`
    Duration      time.Duration     `json:"duration"`
    Error         string            `json:"error,omitempty"`
}

type PingRequest struct {
    // Empty
}

type PingResponse struct {
    Success   bool   `json:"success"`
    Latency   int64  `json:"latency_ms"`
    Message   string `json:"message,omitempty"`
}

type VersionRequest struct {
    // Empty
}

type VersionResponse struct {
    Success       bool   `json:"success"`
    Version       string `json:"version"`
    BuildDate     string `json:"build_date,omitempty"`
    GitCommit     string `json:"git_commit,omitempty"`
    GoVersion     string `json:"go_version,omitempty"`
    ProviderName  string `json:"provider_name"`
}

type ProviderSchema struct {
    Name          string                   `json:"name"`
    Version       string                   `json:"version"`
    Category      string                   `json:"category"`
    Description   string                   `json:"description"`
    ResourceTypes []ResourceTypeDefinition `json:"resource_types"`
}

type ResourceTypeDefinition struct {
    Name         string       `json:"name"`
    Description  string       `json:"description"`
    ConfigSchema *ObjectType  `json:"config_schema"`
    StateSchema  *ObjectType  `json:"state_schema"`
}

type ObjectType struct {
    Attributes map[string]*AttributeSchema `json:"attributes"`
}

type AttributeSchema struct {
    Type        string            `json:"type"`        // "string", "int", "bool", "list", "map"
    Description string            `json:"description"`
    Required    bool              `json:"required"`
    Computed    bool              `json:"computed"`    // Computed by provider
    Sensitive   bool              `json:"sensitive"`   // Contains sensitive data
    Default     interface{}       `json:"default,omitempty"`
    Validators  []ValidatorSpec   `json:"validators,omitempty"`
}

type ValidatorSpec struct {
    Type    string      `json:"type"`    // "regex", "enum", "range", "length"
    Value   interface{} `json:"value"`
    Message string      `json:"message"`
}

type ErrorResponse struct {
    Success bool   `json:"success"`
    Error   string `json:"error"`
    Code    string `json:"code,omitempty"`    // Error code for programmatic handling
    Details map[string]interface{} `json:"details,omitempty"` // Additional context
}
