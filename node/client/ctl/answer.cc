#include "node/client/ctl/answer.h"

#include <cstdio>
#include <utility>

namespace shoal::ctl {

namespace json = boost::json;

int fail(const std::string& text) {
  std::fprintf(stderr, "shoal ctl: %s\n", text.c_str());
  return 1;
}

std::string text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_null()) return "-";
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_double()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value.get_double());
    return text;
  }
  return json::serialize(value);
}

Answer answer_of(const AdminReply& reply) {
  if (reply.status == 0) return {{}, reply.body};
  boost::system::error_code broken;
  json::value value = json::parse(reply.body, broken);
  if (broken) return {{}, "the node's answer is not JSON"};
  if (reply.status == 200) return {std::move(value), ""};
  const json::value* const why =
      value.is_object() ? value.as_object().if_contains("error") : nullptr;
  return {{}, why != nullptr ? text_of(*why) : "the node answered " + std::to_string(reply.status)};
}

}  // namespace shoal::ctl
