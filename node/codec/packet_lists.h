// The lists in the payloads of SUBSCRIBE, UNSUBSCRIBE and their acknowledgements: ranges over bytes
// that were validated when the packet was decoded, or were written by the append functions below.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "node/codec/reason_code.h"
#include "shoal/byte_view.h"
#include "shoal/types.h"

namespace shoal {

// One entry of a SUBSCRIBE. All options but the QoS are 5.0's (3.8.3.1).
struct SubscriptionRequest {
  std::string_view filter{};
  Qos qos = Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  uint8_t retain_handling = 0;  // 0 send retained messages, 1 if it is new, 2 do not
  bool operator==(const SubscriptionRequest&) const = default;
};

namespace packet_lists_detail {
struct ReadSubscription {
  using type = SubscriptionRequest;
  static SubscriptionRequest read(const uint8_t* at);
  static const uint8_t* after(const uint8_t* at);
};
struct ReadFilter {
  using type = std::string_view;
  static std::string_view read(const uint8_t* at);
  static const uint8_t* after(const uint8_t* at);
};
}  // namespace packet_lists_detail

// A forward range over entries of differing size, whose number is known.
template <class Entry>
class EntryList {
 public:
  class Iterator {
   public:
    using value_type = typename Entry::type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(const uint8_t* at) : at_(at) {}
    value_type operator*() const { return Entry::read(at_); }
    Iterator& operator++() {
      at_ = Entry::after(at_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const uint8_t* at_ = nullptr;
  };

  EntryList() = default;
  // `raw` holds whole, valid entries as they stand in a packet.
  static EntryList of_valid(ByteView raw) {
    EntryList list;
    list.raw_ = raw;
    const uint8_t* const end = raw.data() + raw.size();
    for (const uint8_t* at = raw.data(); at != end; at = Entry::after(at)) ++list.size_;
    return list;
  }

  Iterator begin() const { return Iterator(raw_.data()); }
  Iterator end() const { return Iterator(raw_.data() + raw_.size()); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView raw() const { return raw_; }

 private:
  ByteView raw_;
  size_t size_ = 0;
};

using SubscriptionList = EntryList<packet_lists_detail::ReadSubscription>;
using FilterList = EntryList<packet_lists_detail::ReadFilter>;

// Build the bytes for SubscriptionList::of_valid and FilterList::of_valid. The filter has at most
// 65,535 bytes. In 3.x every option but the QoS must be at its default: those bits are reserved.
void append_subscription(const SubscriptionRequest& request, std::vector<uint8_t>& out);
void append_filter(std::string_view filter, std::vector<uint8_t>& out);

// A list of reason codes, from bytes of a packet or from codes that the caller keeps.
class ReasonCodes {
 public:
  class Iterator {
   public:
    using value_type = ReasonCode;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(const uint8_t* at) : at_(at) {}
    ReasonCode operator*() const { return static_cast<ReasonCode>(*at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const uint8_t* at_ = nullptr;
  };

  ReasonCodes() = default;
  explicit ReasonCodes(ByteView raw) : raw_(raw) {}
  explicit ReasonCodes(std::span<const ReasonCode> reasons)
      : raw_(reinterpret_cast<const uint8_t*>(reasons.data()), reasons.size()) {}

  Iterator begin() const { return Iterator(raw_.data()); }
  Iterator end() const { return Iterator(raw_.data() + raw_.size()); }
  ReasonCode operator[](size_t i) const { return static_cast<ReasonCode>(raw_[i]); }
  size_t size() const { return raw_.size(); }
  bool empty() const { return raw_.empty(); }

 private:
  ByteView raw_;
};

}  // namespace shoal
