// The form of topic names and topic filters (5.0: 4.7 and 4.8.2). A text that breaks these rules is
// not "correctly formed", as the standard puts it, and so a Malformed Packet: reason codes 0x90 and
// 0x8F are for well-formed ones that a server does not accept.
#pragma once

#include <optional>
#include <string_view>

namespace shoal {

constexpr size_t kTopicSizeMax = 65'535;  // bytes [MQTT5-4.7.3-3] [MQTT311-4.7.3-3]

// What is wrong with `topic` as a Topic Name, a Will Topic or a Response Topic; none if it is fine.
// The text returned is static.
std::optional<std::string_view> check_topic_name(std::string_view topic);

// What is wrong with `filter` as a Topic Filter, "$share/NAME/FILTER" included; none if it is fine.
// 3.1 and 3.1.1 know no shared subscriptions, but leave topics that begin with $ to the server
// (3.1.1: 4.7.2), so that the same rules hold for them.
std::optional<std::string_view> check_topic_filter(std::string_view filter);

constexpr std::string_view kSharePrefix = "$share/";

constexpr bool is_shared_filter(std::string_view filter) {
  return filter.starts_with(kSharePrefix);
}

}  // namespace shoal
