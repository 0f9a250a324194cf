#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "node/config/log.h"

namespace shoal {
namespace {

constexpr size_t kFieldBytesMax = 4096;  // a client id may have 64 KiB; a line need not

std::string_view name_of(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};
  return kNames[static_cast<size_t>(level)];
}

// RFC 3339, UTC.
std::string time_text(int64_t time_ms) {
  const std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     time_ms % 1000);
}

// Length of the well-formed UTF-8 sequence at the front, 0 if it is not one (RFC 3629).
size_t utf8_length(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool is_overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_beyond = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return is_overlong || is_beyond ? 0 : length;
}

// JSON's escapes, also used inside the quotes of the text form: a client id with a line feed in it
// cannot forge a line, and no byte reaches a terminal as a control code.
void append_escaped(std::string& out, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = utf8_length(text.substr(i));
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<uint8_t>(c));
    } else if (length == 0) {
      out += "\\ufffd";
    } else if (length == 2 && c == '\xc2' && static_cast<uint8_t>(text[i + 1]) < 0xa0) {
      out += fmt::format("\\u{:04x}", static_cast<uint8_t>(text[i + 1]));  // the C1 controls
    } else {
      out += text.substr(i, length);
    }
    i += std::max<size_t>(length, 1);
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text.substr(0, kFieldBytesMax));
  if (text.size() > kFieldBytesMax) out += "...";
  out += '"';
}

bool is_plain(std::string_view text) {
  if (text.empty() || text.size() > kFieldBytesMax) return false;
  for (const char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

void append_value(std::string& out, const LogField::Value& value, bool quote_plain_text) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (quote_plain_text || !is_plain(*text)) return append_quoted(out, *text);
    out += *text;
  } else if (const auto* number = std::get_if<double>(&value)) {
    // JSON has no word for infinity.
    const bool is_finite = *number - *number == 0;
    out += is_finite ? fmt::format("{}", *number) : std::string("null");
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* whole = std::get_if<int64_t>(&value)) {
    out += std::to_string(*whole);
  } else {
    out += std::to_string(std::get<uint64_t>(value));
  }
}

std::string text_line(std::string_view time, std::string_view level, std::string_view message,
                      LogFields fields, uint64_t suppressed) {
  std::string line = fmt::format("{} {} {}", time, level, message);
  const auto append = [&line](const LogField& field) {
    line += fmt::format(" {}=", field.key);
    append_value(line, field.value, false);
  };
  for (const LogField& field : fields) append(field);
  if (suppressed > 0) append({"suppressed", suppressed});
  return line;
}

std::string json_line(std::string_view time, std::string_view level, std::string_view node,
                      std::string_view message, LogFields fields, uint64_t suppressed) {
  std::string line = "{";
  const auto append = [&line](const LogField& field) {
    if (line.size() > 1) line += ',';
    append_quoted(line, field.key);
    line += ':';
    append_value(line, field.value, true);
  };
  append({"time", time});
  append({"level", level});
  if (!node.empty()) append({"node", node});
  append({"message", message});
  for (const LogField& field : fields) append(field);
  if (suppressed > 0) append({"suppressed", suppressed});
  line += '}';
  return line;
}

}  // namespace

std::string log_line_of(LogFormat format, int64_t time_ms, LogLevel level, std::string_view node,
                        std::string_view message, LogFields fields, uint64_t suppressed) {
  const std::string time = time_text(time_ms);
  return format == LogFormat::kText
             ? text_line(time, name_of(level), message, fields, suppressed)
             : json_line(time, name_of(level), node, message, fields, suppressed);
}

}  // namespace shoal
