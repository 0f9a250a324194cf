// Records of tagged fields: what log entries and the values of the state store are made of.
//
// A field is a tag (ascending; 1 and up), whether its value is a number or bytes, and the value. A
// field at its default (zero, empty, none) is not written. A reader passes over tags that it does not
// know, so a later version may add fields; what may be *used* is the feature level's to say, since
// replicas of two versions must come to the same state.
//
// A record lists its fields once, for both directions:
//   template <class Self, class Fields> static void visit(Self& self, Fields& f) {
//     f(1, self.client_id);
//     f(2, self.epoch);
//   }
// Defaults are therefore zero and empty. Texts read as string_view point into the bytes given.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "node/rules/wire_bytes.h"
#include "shoal/byte_view.h"
#include "shoal/types.h"

namespace shoal::shard {

template <class T>
concept Number = std::unsigned_integral<T> || std::is_enum_v<T>;
template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;

inline void append_varint(uint64_t value, std::string& out) {
  uint8_t buffer[kWireVarintSizeMax];
  const uint8_t* const end = put_varint(value, buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

inline void append_sized(std::string_view bytes, std::string& out) {
  append_varint(bytes.size(), out);
  out += bytes;
}

class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}

  template <Number T>
  void operator()(uint32_t tag, T value) {
    if (static_cast<uint64_t>(value) != 0) number(tag, static_cast<uint64_t>(value));
  }
  void operator()(uint32_t tag, NodeId value) { (*this)(tag, value.value); }
  template <Text T>
  void operator()(uint32_t tag, const T& text) {
    if (!text.empty()) bytes(tag, text);
  }
  template <Number T>
  void operator()(uint32_t tag, const std::optional<T>& value) {
    if (value) number(tag, static_cast<uint64_t>(*value));
  }
  template <class T>
  void operator()(uint32_t tag, const std::optional<T>& value) {
    if (value) nested(tag, *value);
  }
  template <Number T>
  void operator()(uint32_t tag, const std::vector<T>& values) {
    if (values.empty()) return;
    std::string packed;
    for (const T value : values) append_varint(static_cast<uint64_t>(value), packed);
    bytes(tag, packed);
  }
  template <Text T>
  void operator()(uint32_t tag, const std::vector<T>& texts) {
    for (const T& text : texts) bytes(tag, text);
  }
  template <class T>
  void operator()(uint32_t tag, const std::vector<T>& records) {
    for (const T& record : records) nested(tag, record);
  }
  // A record by itself is written however empty it is.
  template <class T>
    requires std::is_class_v<T> && (!Text<T>)
  void operator()(uint32_t tag, const T& record) {
    nested(tag, record);
  }

 private:
  void number(uint32_t tag, uint64_t value) {
    append_varint(uint64_t{tag} << 1, out_);
    append_varint(value, out_);
  }
  void bytes(uint32_t tag, std::string_view value) {
    append_varint(uint64_t{tag} << 1 | 1, out_);
    append_sized(value, out_);
  }
  template <class T>
  void nested(uint32_t tag, const T& record) {
    std::string inner;
    FieldWriter writer(inner);
    T::visit(record, writer);
    bytes(tag, inner);
  }

  std::string& out_;
};

class FieldReader {
 public:
  explicit FieldReader(std::span<const uint8_t> bytes) : source_(bytes) { advance(); }

  // Passes over what is left; false when the bytes are no record.
  bool finish() {
    while (!done_) advance();
    return ok_ && source_.ok();
  }

  template <Number T>
  void operator()(uint32_t tag, T& value) {
    if (find(tag, false)) take_number(value);
  }
  void operator()(uint32_t tag, NodeId& value) { (*this)(tag, value.value); }
  template <Text T>
  void operator()(uint32_t tag, T& text) {
    if (find(tag, true)) text = T(take_text());
  }
  template <Number T>
  void operator()(uint32_t tag, std::optional<T>& value) {
    if (find(tag, false)) take_number(value.emplace());
  }
  template <class T>
  void operator()(uint32_t tag, std::optional<T>& value) {
    if (find(tag, true)) take_record(value.emplace());
  }
  template <Number T>
  void operator()(uint32_t tag, std::vector<T>& values) {
    if (!find(tag, true)) return;
    WireSource packed(bytes_);
    while (packed.ok() && packed.left() != 0) check_number(packed.varint(), values.emplace_back());
    ok_ = ok_ && packed.ok();
    advance();
  }
  template <Text T>
  void operator()(uint32_t tag, std::vector<T>& texts) {
    while (find(tag, true)) texts.emplace_back(take_text());
  }
  template <class T>
  void operator()(uint32_t tag, std::vector<T>& records) {
    while (find(tag, true)) take_record(records.emplace_back());
  }
  template <class T>
    requires std::is_class_v<T> && (!Text<T>)
  void operator()(uint32_t tag, T& record) {
    if (find(tag, true)) take_record(record);
  }

 private:
  // To the next field; done_ behind the last.
  void advance() {
    done_ = source_.left() == 0;
    if (done_) return;
    const uint64_t key = source_.varint();
    const uint64_t tag = key >> 1;
    if (tag < tag_ || tag == 0) source_.fail();
    tag_ = tag;
    is_bytes_ = (key & 1) != 0;
    if (is_bytes_) {
      bytes_ = source_.sized_bytes();
    } else {
      number_ = source_.varint();
    }
    done_ = !source_.ok();
  }
  bool find(uint32_t tag, bool wants_bytes) {
    while (!done_ && tag_ < tag) advance();
    if (done_ || tag_ != tag) return false;
    if (is_bytes_ != wants_bytes) fail();
    return !done_;
  }
  void fail() {
    ok_ = false;
    done_ = true;
  }
  template <class T>
  void check_number(uint64_t from, T& value) {
    if constexpr (std::same_as<T, Qos>) {
      value = static_cast<Qos>(from & 3);
      if (from > 2) fail();
    } else if constexpr (std::is_enum_v<T>) {
      check_number(from, reinterpret_cast<std::underlying_type_t<T>&>(value));
    } else if constexpr (std::same_as<T, bool>) {
      value = from != 0;
      if (from > 1) fail();
    } else {
      value = static_cast<T>(from);
      if (value != from) fail();
    }
  }
  template <class T>
  void take_number(T& value) {
    check_number(number_, value);
    if (!done_) advance();
  }
  std::string_view take_text() {
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    advance();
    return text;
  }
  template <class T>
  void take_record(T& record) {
    FieldReader inner(bytes_);
    T::visit(record, inner);
    if (!inner.finish()) ok_ = false;
    advance();
  }

  WireSource source_;
  uint64_t tag_ = 0;
  uint64_t number_ = 0;
  std::span<const uint8_t> bytes_;
  bool is_bytes_ = false;
  bool done_ = false;
  bool ok_ = true;
};

template <class Record>
void append_record(const Record& record, std::string& out) {
  FieldWriter writer(out);
  Record::visit(record, writer);
}

template <class Record>
bool read_record(std::string_view bytes, Record& record) {
  FieldReader reader(bytes_of(bytes));
  Record::visit(record, reader);
  return reader.finish();
}

}  // namespace shoal::shard
