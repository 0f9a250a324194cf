// The kinds of value an option may have. `field` is a generic lambda from a Target, const or not,
// to the member that holds the value.
#pragma once

#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include "node/config/address.h"
#include "node/config/option.h"
#include "node/config/values.h"

namespace shoal::bind {

// Any kind that a function reads from text and another prints.
template <class Target, class Field, class Read, class Print>
Binding<Target> scalar(Field field, std::string expected, Read read, Print print) {
  return {
      .set = [=](Target& target, std::span<const std::string> values) -> std::optional<Mismatch> {
        if (values.size() != 1) return Mismatch{"one value", std::to_string(values.size())};
        auto value = read(values.front());
        if (!value) return Mismatch{expected, values.front()};
        field(target) = std::move(*value);
        return std::nullopt;
      },
      .print = [=](const Target& target) { return print(field(target)); },
  };
}

template <class Target, class Field>
Binding<Target> text(Field field, std::string expected = "a text") {
  return scalar<Target>(
      field, std::move(expected),
      [](const std::string& value) {
        return value.empty() || value.find('\0') != std::string::npos
                   ? std::nullopt
                   : std::optional<std::string>(value);
      },
      [](const std::string& value) { return value; });
}

template <class Target, class Field>
Binding<Target> path(Field field) {
  return text<Target>(field, "the path of a file");
}

inline std::string range_text(uint64_t least, uint64_t most) {
  return "from " + std::to_string(least) + " to " + std::to_string(most);
}

template <class Target, class Field>
Binding<Target> number(Field field, uint64_t least, uint64_t most) {
  using Number = std::remove_cvref_t<decltype(field(std::declval<Target&>()))>;
  return scalar<Target>(
      field, "a number " + range_text(least, most),
      [=](const std::string& value) -> std::optional<Number> {
        const auto read = number_of(value);
        if (!read || *read < least || *read > most) return std::nullopt;
        return static_cast<Number>(*read);
      },
      [](Number value) { return std::to_string(value); });
}

// A number where 0 is said as "none", and shown so.
template <class Target, class Field>
Binding<Target> number_or_none(Field field, uint64_t most) {
  using Number = std::remove_cvref_t<decltype(field(std::declval<Target&>()))>;
  return scalar<Target>(
      field, "none or a number from 1 to " + std::to_string(most),
      [=](const std::string& value) -> std::optional<Number> {
        if (value == "none") return Number{0};
        const auto read = number_of(value);
        if (!read || *read > most) return std::nullopt;
        return static_cast<Number>(*read);
      },
      [](Number value) { return value == 0 ? std::string("none") : std::to_string(value); });
}

template <class Target, class Field>
Binding<Target> size(Field field, uint64_t least, uint64_t most) {
  using Number = std::remove_cvref_t<decltype(field(std::declval<Target&>()))>;
  return scalar<Target>(
      field,
      "bytes or a size such as 64MiB, from " + size_text_of(least) + " to " + size_text_of(most),
      [=](const std::string& value) -> std::optional<Number> {
        const auto read = size_of(value);
        if (!read || *read < least || *read > most) return std::nullopt;
        return static_cast<Number>(*read);
      },
      [](Number value) { return size_text_of(value); });
}

template <class Target, class Field>
Binding<Target> duration(Field field, Duration least, Duration most) {
  return scalar<Target>(
      field, "a duration such as 20s, 500ms or 1h, from " + text_of(least) + " to " + text_of(most),
      [=](const std::string& value) -> std::optional<Duration> {
        const auto read = duration_of(value);
        if (!read || *read < least || *read > most) return std::nullopt;
        return read;
      },
      [](Duration value) { return text_of(value); });
}

// Whole seconds kept as a number, as MQTT has them on the wire; `none` is the number that says so.
template <class Target, class Field>
Binding<Target> seconds_or_none(Field field, uint64_t most_s, uint64_t none) {
  using Number = std::remove_cvref_t<decltype(field(std::declval<Target&>()))>;
  return scalar<Target>(
      field,
      "none or a duration of whole seconds such as 20s or 1h, to " + std::to_string(most_s) + "s",
      [=](const std::string& value) -> std::optional<Number> {
        if (value == "none") return static_cast<Number>(none);
        const auto read = duration_of(value);
        if (!read || *read != Duration::seconds(read->to_seconds())) return std::nullopt;
        if (static_cast<uint64_t>(read->to_seconds()) > most_s) return std::nullopt;
        return static_cast<Number>(read->to_seconds());
      },
      [=](Number value) {
        return value == none ? std::string("none") : text_of(Duration::seconds(value));
      });
}

template <class Target, class Field>
Binding<Target> on_off(Field field) {
  auto binding = scalar<Target>(
      field, "true or false", [](const std::string& value) { return switch_of(value); },
      [](bool value) { return std::string(value ? "true" : "false"); });
  binding.is_switch = true;
  return binding;
}

// A switch whose default depends on other settings.
template <class Target, class Field>
Binding<Target> optional_on_off(Field field) {
  auto binding = scalar<Target>(
      field, "true or false", [](const std::string& value) { return switch_of(value); },
      [](std::optional<bool> value) {
        return value ? std::string(*value ? "true" : "false") : std::string();
      });
  binding.is_switch = true;
  return binding;
}

template <class Target, class Enum, class Field>
Binding<Target> choice(Field field, std::vector<std::pair<std::string_view, Enum>> choices) {
  std::string expected;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) expected += i + 1 == choices.size() ? " or " : ", ";
    expected += choices[i].first;
  }
  return scalar<Target>(
      field, expected,
      [choices](const std::string& value) -> std::optional<Enum> {
        for (const auto& [name, choice] : choices) {
          if (name == value) return choice;
        }
        return std::nullopt;
      },
      [choices](Enum value) {
        for (const auto& [name, choice] : choices) {
          if (choice == value) return std::string(name);
        }
        return std::string();
      });
}

inline constexpr std::string_view kHostPortExpected =
    "HOST:PORT such as 127.0.0.1:1883 or [::1]:1883";

template <class Target, class Field>
Binding<Target> host_port(Field field) {
  return scalar<Target>(
      field, std::string(kHostPortExpected), host_port_of,
      [](const HostPort& value) { return value.host.empty() ? std::string() : value.text(); });
}

template <class Target, class Field, class Read, class Print>
Binding<Target> list(Field field, std::string expected, Read read, Print print) {
  return {
      .set = [=](Target& target, std::span<const std::string> values) -> std::optional<Mismatch> {
        std::remove_cvref_t<decltype(field(target))> read_values;
        for (const std::string& value : values) {
          auto item = read(value);
          if (!item) return Mismatch{expected, value};
          read_values.push_back(std::move(*item));
        }
        field(target) = std::move(read_values);
        return std::nullopt;
      },
      .print =
          [=](const Target& target) {
            std::string joined;
            for (const auto& item : field(target)) {
              if (!joined.empty()) joined += ',';
              joined += print(item);
            }
            return joined;
          },
      .is_list = true,
  };
}

template <class Target, class Field>
Binding<Target> host_ports(Field field) {
  return list<Target>(field, std::string(kHostPortExpected), host_port_of,
                      [](const HostPort& value) { return value.text(); });
}

template <class Target, class Field>
Binding<Target> texts(Field field, std::string expected) {
  return list<Target>(
      field, std::move(expected),
      [](const std::string& value) {
        return value.empty() ? std::nullopt : std::optional<std::string>(value);
      },
      [](const std::string& value) { return value; });
}

template <class Target, class Field>
Binding<Target> address_ranges(Field field) {
  return list<Target>(
      field, "an address or a range such as 10.0.0.0/8 or fd00::/8",
      [](const std::string& value) { return AddressRange::parse(value); },
      [](const AddressRange& value) { return value.text(); });
}

}  // namespace shoal::bind
