#include "node/rules/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "shoal/random.h"

namespace shoal {
namespace {

constexpr Instant kEpoch{1'234'567'890'123};

Instant after_ms(int64_t ms) { return kEpoch + Duration::millis(ms); }

template <class Wheel>
std::vector<uint32_t> due_at(Wheel& wheel, Instant now) {
  std::vector<uint32_t> due;
  wheel.advance(now, [&due](uint32_t data) {
    due.push_back(data);
    return Instant::never();
  });
  return due;
}

TEST(TimerWheel, RunsOutAtTheFirstTickThatIsNotEarly) {
  struct Case {
    int64_t when_ms;
    int64_t last_silent_ms;
    int64_t first_due_ms;
  };
  const Case cases[] = {
      {1, 99, 100},
      {100, 99, 100},
      {101, 199, 200},
      {6'400, 6'399, 6'400},  // a slot of level 1 begins
      {6'450, 6'499, 6'500},
      {409'600, 409'599, 409'600},  // of level 2
      {90'000, 89'999, 90'000},
      {604'800'000, 604'799'999, 604'800'000},  // a week
  };
  for (const Case& c : cases) {
    TimerWheel<uint32_t> wheel(kEpoch);
    wheel.add(after_ms(c.when_ms), 7);
    EXPECT_TRUE(due_at(wheel, after_ms(c.last_silent_ms)).empty()) << c.when_ms;
    EXPECT_EQ(due_at(wheel, after_ms(c.first_due_ms)), std::vector<uint32_t>{7}) << c.when_ms;
    EXPECT_EQ(wheel.size(), 0u);
  }
}

TEST(TimerWheel, ADeadlineInThePastIsDueAtTheNextTick) {
  TimerWheel<uint32_t> wheel(kEpoch);
  wheel.advance(after_ms(1000), [](uint32_t) { return Instant::never(); });
  wheel.add(after_ms(10), 1);
  wheel.add(Instant{0}, 2);
  EXPECT_TRUE(due_at(wheel, after_ms(1000)).empty());
  EXPECT_EQ(due_at(wheel, after_ms(1100)).size(), 2u);
}

TEST(TimerWheel, FarDeadlinesAreCappedNotWrapped) {
  TimerWheel<uint32_t> wheel(kEpoch);
  wheel.add(Instant{INT64_MAX - 1}, 1);
  const int64_t year_ms = int64_t{365} * 24 * 3'600'000;
  EXPECT_TRUE(due_at(wheel, after_ms(13 * year_ms)).empty());
  EXPECT_EQ(due_at(wheel, after_ms(14 * year_ms)).size(), 1u);
}

TEST(TimerWheel, OnDueMayRearmCancelAndAdd) {
  TimerWheel<uint32_t> wheel(kEpoch);
  TimerId self = wheel.add(after_ms(100), 1);
  const TimerId other = wheel.add(after_ms(100), 2);
  std::vector<uint32_t> due;
  // Whichever of the two runs first ends both, and leaves a third.
  wheel.advance(after_ms(100), [&](uint32_t data) {
    due.push_back(data);
    wheel.cancel(self);
    wheel.cancel(other);
    wheel.add(after_ms(0), 3);
    return after_ms(200);  // ignored: it cancelled itself
  });
  EXPECT_EQ(due.size(), 1u);
  EXPECT_EQ(wheel.size(), 1u);
  int runs = 0;
  wheel.advance(after_ms(300), [&](uint32_t data) {
    EXPECT_EQ(data, 3u);
    return ++runs < 2 ? after_ms(500) : Instant::never();
  });
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(due_at(wheel, after_ms(499)).empty());
  EXPECT_EQ(due_at(wheel, after_ms(500)), std::vector<uint32_t>{3});
}

TEST(TimerWheel, AnOverdueRearmRunsOnceAnAdvance) {
  TimerWheel<uint32_t> wheel(kEpoch);
  wheel.add(after_ms(100), 1);
  int runs = 0;
  const auto always_late = [&runs](uint32_t) {
    ++runs;
    return after_ms(100);
  };
  wheel.advance(after_ms(3'600'000), always_late);
  EXPECT_EQ(runs, 1);
  wheel.advance(after_ms(3'600'100), always_late);
  EXPECT_EQ(runs, 2);
}

TEST(TimerWheel, NextWorkIsNeverLate) {
  TimerWheel<uint32_t> wheel(kEpoch);
  EXPECT_EQ(wheel.next_work(), Instant::never());
  const TimerId id = wheel.add(after_ms(700'050), 1);
  int steps = 0;
  for (Instant at = wheel.next_work(); wheel.size() == 1; at = wheel.next_work()) {
    ASSERT_LE(at, after_ms(700'100));
    ASSERT_LT(++steps, 5);
    due_at(wheel, at);
  }
  EXPECT_EQ(wheel.next_work(), Instant::never());
  static_cast<void>(id);
}

// Against a map of deadlines: what is due, when, and nothing else.
class WheelModel {
 public:
  explicit WheelModel(uint64_t seed) : random_(seed), wheel_(kEpoch) {}

  void step() {
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2: return add();
      case 3:
        return with_any([this](uint32_t data) {
          wheel_.cancel(ids_[data]);
          forget(data);
        });
      case 4:
        return with_any([this](uint32_t data) {
          const int64_t when = deadline();
          wheel_.move(ids_[data], after_ms(when));
          set(data, when);
        });
      default: return advance();
    }
  }

  void check() const { ASSERT_EQ(wheel_.size(), due_tick_.size()); }

 private:
  static constexpr int64_t kSpans[] = {150, 5'000, 60'000, 600'000, 90'000'000};

  int64_t deadline() {
    return now_ms_ - 100 + static_cast<int64_t>(random_.below(kSpans[random_.below(5)]));
  }
  void set(uint32_t data, int64_t when_ms) {
    due_tick_[data] = std::max((when_ms + 99) / 100, now_ms_ / 100 + 1);
  }
  void forget(uint32_t data) {
    due_tick_.erase(data);
    ids_.erase(data);
  }
  void add() {
    const uint32_t data = next_data_++;
    const int64_t when = deadline();
    ids_[data] = wheel_.add(after_ms(when), data);
    set(data, when);
  }
  template <class Do>
  void with_any(Do act) {
    if (ids_.empty()) return;
    const auto it = ids_.lower_bound(static_cast<uint32_t>(random_.below(next_data_)));
    act(it == ids_.end() ? ids_.begin()->first : it->first);
  }
  void advance() {
    now_ms_ += static_cast<int64_t>(random_.below(kSpans[random_.below(4)]));
    std::set<uint32_t> expected;
    for (const auto& [data, tick] : due_tick_) {
      if (tick <= now_ms_ / 100) expected.insert(data);
    }
    int64_t last_tick = 0;
    wheel_.advance(after_ms(now_ms_), [&](uint32_t data) {
      EXPECT_EQ(expected.erase(data), 1u);
      EXPECT_GE(due_tick_[data], last_tick);  // in order of their ticks
      last_tick = due_tick_[data];
      if (random_.one_in(3)) {
        const int64_t when = deadline();
        set(data, when);
        return after_ms(when);
      }
      forget(data);
      return Instant::never();
    });
    EXPECT_TRUE(expected.empty());
  }

  Random random_;
  TimerWheel<uint32_t> wheel_;
  std::map<uint32_t, int64_t> due_tick_;
  std::map<uint32_t, TimerId> ids_;
  uint32_t next_data_ = 1;
  int64_t now_ms_ = 0;
};

TEST(TimerWheel, AgreesWithAMapOfDeadlines) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    WheelModel model(seed);
    for (int step = 0; step < 2000; ++step) {
      model.step();
      model.check();
      if (testing::Test::HasFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace shoal
