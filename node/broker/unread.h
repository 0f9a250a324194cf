// Bytes of a connection that were received and not worked on: the beginning of a packet, or what
// came while the connection is paused. Memory follows what came, not what a header promises, and is
// counted in a budget of the node: a stranger cannot fill it with promises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "shoal/message.h"

namespace shoal {

class ByteBudget;

class Unread {
 public:
  Unread() = default;
  Unread(Unread&& other) noexcept { swap(other); }
  Unread& operator=(Unread&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Unread() { clear(); }

  bool empty() const { return size_ == begin_; }
  size_t size() const { return size_ - begin_; }
  std::span<const uint8_t> bytes() const { return {data_ + begin_, size()}; }
  // False when the budget has not so much left; nothing is kept then. `whole`: how large it will
  // get at the most, if that is known.
  bool append(std::span<const uint8_t> bytes, size_t whole, ByteBudget& budget);
  // From now on it is this budget's, whether or not there is so much left in it.
  void move_to(ByteBudget& budget);
  void drop_front(size_t bytes);
  void clear();
  // Its memory as an owner that a Message can refer to; this is empty then. bytes() stay valid as
  // long as the owner.
  SharedBytes release();

 private:
  void forget();
  void swap(Unread& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(begin_, other.begin_);
    std::swap(capacity_, other.capacity_);
    std::swap(counted_, other.counted_);
    std::swap(budget_, other.budget_);
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t begin_ = 0;
  size_t capacity_ = 0;
  size_t counted_ = 0;            // of it, with the pages that were written to
  ByteBudget* budget_ = nullptr;  // from which counted_ bytes are taken
};

}  // namespace shoal
