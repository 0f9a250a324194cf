// A text that never changes, in one word and one allocation of its size and its bytes: a
// std::string takes four words where there is one for each of a million filters.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace shoal {

class CompactText {
 public:
  CompactText() = default;
  explicit CompactText(std::string_view text)
      : bytes_(std::make_unique_for_overwrite<char[]>(sizeof(uint32_t) + text.size())) {
    const uint32_t size = static_cast<uint32_t>(text.size());
    std::memcpy(bytes_.get(), &size, sizeof size);
    if (size != 0) std::memcpy(bytes_.get() + sizeof size, text.data(), size);
  }

  // Whether it was given a text, were it an empty one.
  explicit operator bool() const { return bytes_ != nullptr; }
  // To prefetch.
  const void* address() const { return bytes_.get(); }
  std::string_view view() const {
    uint32_t size;
    std::memcpy(&size, bytes_.get(), sizeof size);
    return {bytes_.get() + sizeof size, size};
  }

 private:
  std::unique_ptr<char[]> bytes_;
};

}  // namespace shoal
