package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// provider answers Terraform; what the answers do to the world is in world.go.
type provider struct {
	unsupported
	schemas *schemas
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{Provider: p.schemas.provider, ResourceSchemas: p.schemas.resources}, nil
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	out := &tfprotov6.GetMetadataResponse{}
	for name := range p.schemas.resources {
		out.Resources = append(out.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	return out, nil
}

func (p *provider) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceConfig(_ context.Context, r *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	config, err := p.decoded(r.TypeName, r.Config)
	if err != nil {
		return nil, err
	}
	out := &tfprotov6.ValidateResourceConfigResponse{}
	for _, complaint := range configurationComplaints(r.TypeName, config) {
		out.Diagnostics = append(out.Diagnostics, &tfprotov6.Diagnostic{
			Severity: tfprotov6.DiagnosticSeverityError,
			Summary:  "Invalid value for " + complaint.attribute,
			Detail:   complaint.reason,
		})
	}
	return out, nil
}

func (p *provider) UpgradeResourceState(_ context.Context, r *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind, err := p.schemas.typeOf(r.TypeName)
	if err != nil {
		return nil, err
	}
	value, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (p *provider) ReadResource(_ context.Context, r *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	state, err := p.decoded(r.TypeName, r.CurrentState)
	if err != nil {
		return nil, err
	}
	exists, err := openWorld().exists(r.TypeName, state)
	if err != nil || exists {
		return &tfprotov6.ReadResourceResponse{NewState: r.CurrentState}, err
	}
	gone, err := p.encoded(r.TypeName, nil)
	return &tfprotov6.ReadResourceResponse{NewState: gone}, err
}

func (p *provider) PlanResourceChange(_ context.Context, r *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	prior, err := p.decoded(r.TypeName, r.PriorState)
	if err != nil {
		return nil, err
	}
	proposed, err := p.decoded(r.TypeName, r.ProposedNewState)
	if err != nil || proposed == nil {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}, err
	}
	out := &tfprotov6.PlanResourceChangeResponse{UnsafeToUseLegacyTypeSystem: true}
	block := p.schemas.recorded[r.TypeName].Block
	var planned attributes
	if prior == nil {
		planned = plannedCreate(r.TypeName, block, proposed)
	} else {
		planned = plannedUpdate(r.TypeName, block, prior, proposed)
		for _, path := range replacements(r.TypeName, prior, planned) {
			out.RequiresReplace = append(out.RequiresReplace, tftypes.NewAttributePath().WithAttributeName(strings.Split(path, ".")[0]))
		}
	}
	out.PlannedState, err = p.encoded(r.TypeName, planned)
	return out, err
}

func (p *provider) ApplyResourceChange(_ context.Context, r *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	prior, err := p.decoded(r.TypeName, r.PriorState)
	if err != nil {
		return nil, err
	}
	planned, err := p.decoded(r.TypeName, r.PlannedState)
	if err != nil {
		return nil, err
	}
	out := &tfprotov6.ApplyResourceChangeResponse{UnsafeToUseLegacyTypeSystem: true}
	if err := openWorld().change(r.TypeName, prior, planned); err != nil {
		out.NewState = r.PriorState
		out.Diagnostics = append(out.Diagnostics, &tfprotov6.Diagnostic{
			Severity: tfprotov6.DiagnosticSeverityError, Summary: r.TypeName, Detail: err.Error(),
		})
		return out, nil
	}
	out.NewState, err = p.encodedSettled(r.TypeName, planned)
	return out, err
}

// decoded is nil where there is no such resource (before its creation, after its end).
func (p *provider) decoded(resource string, value *tfprotov6.DynamicValue) (attributes, error) {
	kind, err := p.schemas.typeOf(resource)
	if err != nil {
		return nil, err
	}
	decoded, err := value.Unmarshal(kind)
	if err != nil || decoded.IsNull() {
		return nil, err
	}
	out, err := plain(decoded)
	if err != nil {
		return nil, err
	}
	fields, ok := out.(attributes)
	if !ok {
		return nil, fmt.Errorf("%s: %T where a resource belongs", resource, out)
	}
	return fields, nil
}

func (p *provider) encoded(resource string, fields attributes) (*tfprotov6.DynamicValue, error) {
	return p.encodedBy(resource, fields, func(v tftypes.Value) (tftypes.Value, error) { return v, nil })
}

func (p *provider) encodedSettled(resource string, fields attributes) (*tfprotov6.DynamicValue, error) {
	return p.encodedBy(resource, fields, settled)
}

func (p *provider) encodedBy(resource string, fields attributes, finish func(tftypes.Value) (tftypes.Value, error)) (*tfprotov6.DynamicValue, error) {
	kind, err := p.schemas.typeOf(resource)
	if err != nil {
		return nil, err
	}
	var value any
	if fields != nil {
		value = fields
	}
	converted, err := typed(kind, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", resource, err)
	}
	if converted, err = finish(converted); err != nil {
		return nil, fmt.Errorf("%s: %w", resource, err)
	}
	out, err := tfprotov6.NewDynamicValue(kind, converted)
	return &out, err
}

// unsupported answers what Terraform asks of providers and the module never uses.
type unsupported struct{}

var errUnsupported = errors.New("the stand-in provider has no data sources, functions, ephemeral resources, imports or moves")

func (unsupported) ImportResourceState(context.Context, *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	return nil, errUnsupported
}

func (unsupported) MoveResourceState(context.Context, *tfprotov6.MoveResourceStateRequest) (*tfprotov6.MoveResourceStateResponse, error) {
	return nil, errUnsupported
}

func (unsupported) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return nil, errUnsupported
}

func (unsupported) ReadDataSource(context.Context, *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return nil, errUnsupported
}

func (unsupported) CallFunction(context.Context, *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	return nil, errUnsupported
}

func (unsupported) GetFunctions(context.Context, *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{}, nil
}

func (unsupported) ValidateEphemeralResourceConfig(context.Context, *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return nil, errUnsupported
}

func (unsupported) OpenEphemeralResource(context.Context, *tfprotov6.OpenEphemeralResourceRequest) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return nil, errUnsupported
}

func (unsupported) RenewEphemeralResource(context.Context, *tfprotov6.RenewEphemeralResourceRequest) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return nil, errUnsupported
}

func (unsupported) CloseEphemeralResource(context.Context, *tfprotov6.CloseEphemeralResourceRequest) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return nil, errUnsupported
}
