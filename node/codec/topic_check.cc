#include "node/codec/topic_check.h"

#include "node/codec/utf8.h"

namespace shoal {
namespace {

std::optional<std::string_view> check_text(std::string_view text) {
  if (text.empty()) return "empty topic";  // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
  if (text.size() > kTopicSizeMax) return "topic above 65535 bytes";
  if (!is_mqtt_string(text)) {  // [MQTT5-4.7.3-2] [MQTT311-4.7.3-2]
    return "topic is not well-formed UTF-8 or holds U+0000";
  }
  return std::nullopt;
}

// `filter` is not empty.
std::optional<std::string_view> check_wildcards(std::string_view filter) {
  for (size_t at = filter.find_first_of("+#"); at != filter.npos;
       at = filter.find_first_of("+#", at + 1)) {
    const bool begins_level = at == 0 || filter[at - 1] == '/';
    const bool last = at + 1 == filter.size();
    if (filter[at] == '#' && !(begins_level && last)) {
      return "# is not alone in the last level";  // [MQTT5-4.7.1-1] [MQTT311-4.7.1-2]
    }
    if (filter[at] == '+' && !(begins_level && (last || filter[at + 1] == '/'))) {
      return "+ is not alone in its level";  // [MQTT5-4.7.1-2] [MQTT311-4.7.1-3]
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> check_topic_name(std::string_view topic) {
  if (const auto wrong = check_text(topic)) return wrong;
  // [MQTT5-4.7.0-1] [MQTT311-4.7.1-1]
  if (topic.find_first_of("+#") != topic.npos) return "wildcard in a topic name";
  return std::nullopt;
}

std::optional<std::string_view> check_topic_filter(std::string_view filter) {
  if (const auto wrong = check_text(filter)) return wrong;
  if (is_shared_filter(filter)) {
    filter.remove_prefix(kSharePrefix.size());
    const size_t name_size = filter.find('/');
    const std::string_view name = filter.substr(0, name_size);
    if (name.empty()) return "empty share name";  // [MQTT5-4.8.2-1]
    // [MQTT5-4.8.2-2]
    if (name.find_first_of("+#") != name.npos) return "wildcard in a share name";
    if (name_size == filter.npos) return "no filter after the share name";
    filter.remove_prefix(name_size + 1);
    if (filter.empty()) return "no filter after the share name";  // [MQTT5-4.7.3-1]
  }
  return check_wildcards(filter);
}

}  // namespace shoal
