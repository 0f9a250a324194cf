// A hierarchical timing wheel: hundreds of thousands of timers, each 12 bytes and its data, added,
// moved and cancelled at constant cost.
//
// Time is counted in ticks of 100 ms since the wheel was made. Level 0 has a slot for each of the
// next ticks, level 1 a slot for each 64 of them, and so on: a timer stands in the level of the
// highest group of 6 bits in which its tick differs from the present one. When time enters a slot
// of a higher level, its timers move down. One word a level says which slots hold any, so that
// empty time costs nothing and the next thing to do is found without a walk.
//
// A timer whose deadline moves with every packet (keep-alive) is not touched: its owner keeps the
// deadline, and answers with it when the timer runs out.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "shoal/assert.h"
#include "shoal/types.h"

namespace shoal {

// Of one wheel; used again after its timer ended.
using TimerId = uint32_t;
constexpr TimerId kNoTimer = UINT32_MAX;

// One thread. `Data` says whose timer it is and what for: small and trivially copied.
template <class Data>
class TimerWheel {
 public:
  static constexpr Duration kTick = Duration::millis(100);

  explicit TimerWheel(Instant now) : epoch_(now) {
    for (auto& level : heads_) level.fill(kNoTimer);
  }

  // Runs out at the first advance() that begins after this call, at or after `when`, and never
  // before `when`; but a `when` later than 13 years after the wheel was made counts as that.
  TimerId add(Instant when, Data data) {
    const TimerId id = allocate();
    timers_[id].data = data;
    arm(id, when);
    ++size_;
    return id;
  }

  // `id` has not ended. It ends here.
  void cancel(TimerId id) {
    SHOAL_ASSERT(size_ > 0);
    if (id == running_) {
      running_ = kNoTimer;
    } else {
      unlink(id);
    }
    release(id);
  }

  // `id` has not ended, and is not the one that runs out just now.
  void move(TimerId id, Instant when) {
    SHOAL_ASSERT(id != running_);
    unlink(id);
    arm(id, when);
  }

  // Runs what is due by `now`. `on_due(data)` returns when the same timer is to run out again, or
  // Instant::never() to end it. It may add, move and cancel timers; its own it may only cancel.
  template <class OnDue>
  void advance(Instant now, OnDue&& on_due) {
    horizon_ = std::max(horizon_, tick_at(now));
    while (const std::optional<Event> event = next_event()) {
      if (event->tick > horizon_) break;
      now_ = event->tick;
      if (event->level > 0) {
        cascade(event->level, event->slot);
      } else {
        run(event->slot, on_due);
      }
    }
    now_ = horizon_;
  }

  // Before this advance() has nothing to do; never() without a timer. It may be earlier than the
  // next deadline, by as much as a slot of that deadline's level is long.
  Instant next_work() const {
    const std::optional<Event> event = next_event();
    return event ? epoch_ + kTick * event->tick : Instant::never();
  }

  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kSlotBits = 6;
  static constexpr uint32_t kSlots = 1u << kSlotBits;
  static constexpr uint32_t kLevels = 6;  // 36 bits: all of a tick's 32

  struct Timer {
    uint32_t tick = 0;
    TimerId previous = kNoTimer;
    TimerId next = kNoTimer;  // also in the list of free ones
    Data data{};
  };
  struct Position {
    uint32_t level;
    uint32_t slot;
  };
  struct Event {
    uint32_t tick;
    uint32_t level;
    uint32_t slot;
  };

  static uint32_t clamped(int64_t tick) {
    return static_cast<uint32_t>(std::clamp<int64_t>(tick, 0, UINT32_MAX - 1));
  }
  uint32_t tick_at(Instant now) const { return clamped((now - epoch_).ns / kTick.ns); }
  uint32_t tick_not_before(Instant when) const {
    if (when <= epoch_) return 0;
    const int64_t ns = (when - epoch_).ns;
    return clamped(ns / kTick.ns + (ns % kTick.ns != 0 ? 1 : 0));
  }

  Position position_of(uint32_t tick) const {
    const uint32_t changed = tick ^ now_;
    const uint32_t level =
        changed == 0 ? 0 : (static_cast<uint32_t>(std::bit_width(changed)) - 1) / kSlotBits;
    return {level, (tick >> (level * kSlotBits)) & (kSlots - 1)};
  }

  // The beginning of the first slot that is not empty. Lower levels come first: all that they hold
  // ends before the next slot of a higher one begins.
  std::optional<Event> next_event() const {
    for (uint32_t level = 0; level < kLevels; ++level) {
      if (used_[level] == 0) continue;
      const uint32_t slot = static_cast<uint32_t>(std::countr_zero(used_[level]));
      const uint32_t shift = level * kSlotBits;
      const uint64_t above = uint64_t{now_} >> (shift + kSlotBits) << (shift + kSlotBits);
      return Event{static_cast<uint32_t>(above | uint64_t{slot} << shift), level, slot};
    }
    return std::nullopt;
  }

  // Nothing that is armed while advance() runs is due in it: a deadline that lies in the past
  // again and again would keep it from its end.
  void arm(TimerId id, Instant when) {
    timers_[id].tick = std::max(tick_not_before(when), horizon_ + 1);
    link(id);
  }

  void link(TimerId id) {
    Timer& timer = timers_[id];
    const auto [level, slot] = position_of(timer.tick);
    TimerId& head = heads_[level][slot];
    timer.previous = kNoTimer;
    timer.next = head;
    if (head != kNoTimer) timers_[head].previous = id;
    head = id;
    used_[level] |= uint64_t{1} << slot;
  }

  void unlink(TimerId id) {
    const Timer& timer = timers_[id];
    if (timer.next != kNoTimer) timers_[timer.next].previous = timer.previous;
    if (timer.previous != kNoTimer) {
      timers_[timer.previous].next = timer.next;
      return;
    }
    const auto [level, slot] = position_of(timer.tick);
    SHOAL_ASSERT(heads_[level][slot] == id);
    heads_[level][slot] = timer.next;
    if (timer.next == kNoTimer) used_[level] &= ~(uint64_t{1} << slot);
  }

  void cascade(uint32_t level, uint32_t slot) {
    TimerId id = heads_[level][slot];
    heads_[level][slot] = kNoTimer;
    used_[level] &= ~(uint64_t{1} << slot);
    while (id != kNoTimer) {
      const TimerId next = timers_[id].next;
      link(id);
      id = next;
    }
  }

  template <class OnDue>
  void run(uint32_t slot, OnDue& on_due) {
    while (heads_[0][slot] != kNoTimer) {
      const TimerId id = heads_[0][slot];
      unlink(id);
      running_ = id;
      const Instant again = on_due(Data{timers_[id].data});
      if (running_ == kNoTimer) continue;  // it cancelled itself
      running_ = kNoTimer;
      if (again == Instant::never()) {
        release(id);
      } else {
        arm(id, again);
      }
    }
  }

  TimerId allocate() {
    if (free_ == kNoTimer) {
      timers_.emplace_back();
      return static_cast<TimerId>(timers_.size() - 1);
    }
    const TimerId id = free_;
    free_ = timers_[id].next;
    return id;
  }
  void release(TimerId id) {
    timers_[id].next = free_;
    free_ = id;
    --size_;
  }

  std::vector<Timer> timers_;
  std::array<std::array<TimerId, kSlots>, kLevels> heads_;
  std::array<uint64_t, kLevels> used_{};
  Instant epoch_;
  uint32_t now_ = 0;      // tick up to which slots were worked off
  uint32_t horizon_ = 0;  // tick that advance() goes to; now_ when it is not running
  TimerId running_ = kNoTimer;
  TimerId free_ = kNoTimer;
  size_t size_ = 0;
};

}  // namespace shoal
