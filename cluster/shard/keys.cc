#include "cluster/shard/keys.h"

#include <algorithm>

#include "cluster/shard/fields.h"

namespace shoal::shard {
namespace {
constexpr char kKeyVersion = 1;
constexpr char kNoNamespace = 0;  // its length
constexpr size_t kKindAt = 4;
}  // namespace

Key::Key(Slot slot, KeyKind kind) {
  bytes_.reserve(48);
  bytes_ += kKeyVersion;
  bytes_ += static_cast<char>(slot >> 8);
  bytes_ += static_cast<char>(slot);
  bytes_ += kNoNamespace;
  bytes_ += static_cast<char>(kind);
}

Key& Key::name(std::string_view name) {
  append_sized(name, bytes_);
  return *this;
}

Key& Key::text(std::string_view text) {
  bytes_ += text;
  return *this;
}

Key& Key::number(uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes_ += static_cast<char>(number >> shift);
  return *this;
}

Key& Key::byte(uint8_t byte) {
  bytes_ += static_cast<char>(byte);
  return *this;
}

std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) ++end.back();
  return end;
}

KeyParts::KeyParts(std::string_view key) {
  if (key.size() <= kKindAt) return;
  kind_ = static_cast<KeyKind>(key[kKindAt]);
  rest_ = key.substr(kKindAt + 1);
}

std::string_view KeyParts::take(size_t size) {
  const std::string_view taken = rest_.substr(0, std::min(size, rest_.size()));
  rest_.remove_prefix(taken.size());
  return taken;
}

std::string_view KeyParts::name() {
  WireSource source(bytes_of(rest_));
  const std::string_view name = source.sized_text();
  rest_.remove_prefix(rest_.size() - source.left());
  return name;
}

uint64_t KeyParts::number() {
  uint64_t number = 0;
  for (const char c : take(8)) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

uint8_t KeyParts::byte() {
  const std::string_view taken = take(1);
  return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
}

}  // namespace shoal::shard
