#include "node/codec/utf8.h"

#include <simdjson.h>

namespace shoal {

bool is_well_formed_utf8(std::string_view text) {
  if (text.size() <= 64 && is_ascii_without<>(text)) return true;
  return simdjson::validate_utf8(text.data(), text.size());
}

bool is_mqtt_string(std::string_view text) {
  // Most strings of a packet are short and ASCII; simdjson's dispatch would cost more than they do.
  if (text.size() <= 64 && is_ascii_without<'\0'>(text)) return true;
  return std::memchr(text.data(), 0, text.size()) == nullptr &&
         simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace shoal
