package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The answer of `terraform providers schema -json` with scaleway/scaleway 2.81, reduced to the resources that the
// module uses and without descriptions.
//
//go:embed schema.json
var recordedSchema []byte

type recordedAttribute struct {
	Type       json.RawMessage `json:"type"`
	Required   bool            `json:"required"`
	Optional   bool            `json:"optional"`
	Computed   bool            `json:"computed"`
	Sensitive  bool            `json:"sensitive"`
	Deprecated bool            `json:"deprecated"`
}

type recordedBlock struct {
	Attributes map[string]recordedAttribute   `json:"attributes"`
	BlockTypes map[string]recordedNestedBlock `json:"block_types"`
}

type recordedNestedBlock struct {
	NestingMode string        `json:"nesting_mode"`
	Block       recordedBlock `json:"block"`
	MinItems    int64         `json:"min_items"`
	MaxItems    int64         `json:"max_items"`
}

type recordedResource struct {
	Version int64         `json:"version"`
	Block   recordedBlock `json:"block"`
}

// schemas holds what was recorded beside the same in the plugin protocol's form.
type schemas struct {
	recorded  map[string]recordedResource
	provider  *tfprotov6.Schema
	resources map[string]*tfprotov6.Schema
}

func (s *schemas) typeOf(resource string) (tftypes.Type, error) {
	schema, ok := s.resources[resource]
	if !ok {
		return nil, fmt.Errorf("%s is not among the recorded resources", resource)
	}
	return schema.ValueType(), nil
}

func loadSchemas() (*schemas, error) {
	var file struct {
		Providers map[string]struct {
			Provider  recordedResource            `json:"provider"`
			Resources map[string]recordedResource `json:"resource_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(recordedSchema, &file); err != nil {
		return nil, err
	}
	if len(file.Providers) != 1 {
		return nil, fmt.Errorf("%d providers recorded, want 1", len(file.Providers))
	}
	out := &schemas{resources: map[string]*tfprotov6.Schema{}}
	for _, recorded := range file.Providers {
		out.recorded = recorded.Resources
		var err error
		if out.provider, err = protocolSchema(recorded.Provider); err != nil {
			return nil, err
		}
		for name, resource := range recorded.Resources {
			if out.resources[name], err = protocolSchema(resource); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return out, nil
}

func protocolSchema(recorded recordedResource) (*tfprotov6.Schema, error) {
	block, err := protocolBlock(recorded.Block)
	if err != nil {
		return nil, err
	}
	return &tfprotov6.Schema{Version: recorded.Version, Block: block}, nil
}

var nestingModes = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
}

func protocolBlock(recorded recordedBlock) (*tfprotov6.SchemaBlock, error) {
	out := &tfprotov6.SchemaBlock{}
	for _, name := range sortedKeys(recorded.Attributes) {
		attribute := recorded.Attributes[name]
		// Deprecated upstream, and still the only reader of this form of type: terraform-plugin-go has no other.
		attributeType, err := tftypes.ParseJSONType(attribute.Type) //nolint:staticcheck
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: attributeType, Required: attribute.Required, Optional: attribute.Optional,
			Computed: attribute.Computed, Sensitive: attribute.Sensitive, Deprecated: attribute.Deprecated,
		})
	}
	for _, name := range sortedKeys(recorded.BlockTypes) {
		nested := recorded.BlockTypes[name]
		mode, ok := nestingModes[nested.NestingMode]
		if !ok {
			return nil, fmt.Errorf("%s: nesting mode %q", name, nested.NestingMode)
		}
		block, err := protocolBlock(nested.Block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: block, Nesting: mode, MinItems: nested.MinItems, MaxItems: nested.MaxItems,
		})
	}
	return out, nil
}

// filledByProvider tells a nested block that only the provider writes (public_ips, private_ips).
func filledByProvider(block recordedBlock) bool {
	for _, attribute := range block.Attributes {
		if !attribute.Computed || attribute.Optional || attribute.Required {
			return false
		}
	}
	return len(block.Attributes) > 0 && len(block.BlockTypes) == 0
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
