package main

import (
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A resource's attributes as plain Go: string, int64, float64, bool, nil, []any, attributes, and unknown{} for what is
// only known after apply.
type attributes = map[string]any

type unknown struct{}

func plain(value tftypes.Value) (any, error) {
	if !value.IsKnown() {
		return unknown{}, nil
	}
	if value.IsNull() {
		return nil, nil
	}
	switch kind := value.Type(); {
	case kind.Is(tftypes.String):
		var out string
		err := value.As(&out)
		return out, err
	case kind.Is(tftypes.Bool):
		var out bool
		err := value.As(&out)
		return out, err
	case kind.Is(tftypes.Number):
		return plainNumber(value)
	case kind.Is(tftypes.List{}), kind.Is(tftypes.Set{}):
		return plainList(value)
	default:
		return plainMap(value)
	}
}

func plainNumber(value tftypes.Value) (any, error) {
	var number big.Float
	if err := value.As(&number); err != nil {
		return nil, err
	}
	if whole, accuracy := number.Int64(); accuracy == big.Exact {
		return whole, nil
	}
	float, _ := number.Float64()
	return float, nil
}

func plainList(value tftypes.Value) (any, error) {
	var items []tftypes.Value
	if err := value.As(&items); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(items))
	for _, item := range items {
		converted, err := plain(item)
		if err != nil {
			return nil, err
		}
		out = append(out, converted)
	}
	return out, nil
}

func plainMap(value tftypes.Value) (any, error) {
	var items map[string]tftypes.Value
	if err := value.As(&items); err != nil {
		return nil, err
	}
	out := attributes{}
	for name, item := range items {
		converted, err := plain(item)
		if err != nil {
			return nil, err
		}
		out[name] = converted
	}
	return out, nil
}

// settled replaces what is still unknown after apply by its type's empty value, as an API would answer.
func settled(value tftypes.Value) (tftypes.Value, error) {
	return tftypes.Transform(value, func(_ *tftypes.AttributePath, part tftypes.Value) (tftypes.Value, error) {
		if part.IsKnown() {
			return part, nil
		}
		return typed(part.Type(), emptyOf(part.Type()))
	})
}

// typed is the way back from plain.
func typed(kind tftypes.Type, value any) (tftypes.Value, error) {
	if _, open := value.(unknown); open {
		return tftypes.NewValue(kind, tftypes.UnknownValue), nil
	}
	if value == nil {
		return tftypes.NewValue(kind, nil), nil
	}
	switch {
	case kind.Is(tftypes.Object{}):
		return typedObject(kind.(tftypes.Object), value)
	case kind.Is(tftypes.Map{}):
		return typedMap(kind.(tftypes.Map), value)
	case kind.Is(tftypes.List{}):
		return typedItems(kind, kind.(tftypes.List).ElementType, value)
	case kind.Is(tftypes.Set{}):
		return typedItems(kind, kind.(tftypes.Set).ElementType, value)
	}
	if err := tftypes.ValidateValue(kind, value); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(kind, value), nil
}

func emptyOf(kind tftypes.Type) any {
	switch {
	case kind.Is(tftypes.String):
		return ""
	case kind.Is(tftypes.Number):
		return int64(0)
	case kind.Is(tftypes.Bool):
		return false
	case kind.Is(tftypes.List{}), kind.Is(tftypes.Set{}):
		return []any{}
	default:
		return attributes{}
	}
}

func typedObject(kind tftypes.Object, value any) (tftypes.Value, error) {
	items, ok := value.(attributes)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("%T where an object belongs", value)
	}
	out := map[string]tftypes.Value{}
	for name, itemKind := range kind.AttributeTypes {
		converted, err := typed(itemKind, items[name])
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = converted
	}
	return tftypes.NewValue(kind, out), nil
}

func typedMap(kind tftypes.Map, value any) (tftypes.Value, error) {
	items, ok := value.(attributes)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("%T where a map belongs", value)
	}
	out := map[string]tftypes.Value{}
	for name, item := range items {
		converted, err := typed(kind.ElementType, item)
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = converted
	}
	return tftypes.NewValue(kind, out), nil
}

func typedItems(kind, itemKind tftypes.Type, value any) (tftypes.Value, error) {
	items, ok := value.([]any)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("%T where a list belongs", value)
	}
	out := make([]tftypes.Value, 0, len(items))
	for _, item := range items {
		converted, err := typed(itemKind, item)
		if err != nil {
			return tftypes.Value{}, err
		}
		out = append(out, converted)
	}
	return tftypes.NewValue(kind, out), nil
}
