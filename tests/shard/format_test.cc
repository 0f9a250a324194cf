// Records, keys, entries and slots as bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cluster/shard/entry.h"
#include "cluster/shard/keys.h"
#include "cluster/shard/slots.h"
#include "tests/shard/shard_fixture.h"

namespace shoal::shard {
namespace {

struct Inner {
  std::string text;
  bool operator==(const Inner&) const = default;
  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.text);
  }
};

struct Sample {
  uint64_t number = 0;
  std::string text;
  std::optional<uint32_t> maybe;
  std::vector<uint64_t> numbers;
  std::vector<Inner> inners;
  bool flag = false;
  Qos qos = Qos::k0;
  bool operator==(const Sample&) const = default;
  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.number);
    f(2, self.text);
    f(4, self.maybe);
    f(5, self.numbers);
    f(6, self.inners);
    f(7, self.flag);
    f(8, self.qos);
  }
};

// What a later version would write.
struct LaterSample : Sample {
  std::string between;
  uint64_t behind = 0;
  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.number);
    f(2, self.text);
    f(3, self.between);
    f(4, self.maybe);
    f(9, self.behind);
  }
};

template <class Record>
std::string bytes_of_record(const Record& record) {
  std::string bytes;
  append_record(record, bytes);
  return bytes;
}

TEST(Fields, ARecordComesBackAsItWas) {
  for (const Sample& sample :
       {Sample{}, Sample{.number = UINT64_MAX, .text = std::string("a\0b", 3), .maybe = 0},
        Sample{
            .numbers = {0, 1, 1ull << 60}, .inners = {{}, {"x"}}, .flag = true, .qos = Qos::k2}}) {
    Sample read;
    EXPECT_TRUE(read_record(bytes_of_record(sample), read));
    EXPECT_EQ(read, sample);
  }
  EXPECT_EQ(bytes_of_record(Sample{}), "");
}

TEST(Fields, UnknownTagsArePassedOver) {
  LaterSample later;
  later.number = 5;
  later.between = "new";
  later.maybe = 7;
  later.behind = 9;
  Sample read;
  EXPECT_TRUE(read_record(bytes_of_record(later), read));
  EXPECT_EQ(read.number, 5u);
  EXPECT_EQ(read.maybe, 7u);
}

TEST(Fields, WhatIsNoRecordIsRefused) {
  const struct {
    const char* what;
    std::string bytes;
  } kRows[] = {
      {"a number where a text belongs", {"\x04\x01", 2}},
      {"a text where a number belongs", {"\x03\x01x", 3}},
      {"a text longer than the bytes", {"\x05\x09x", 3}},
      {"tags that fall", {"\x05\x01x\x02\x01", 5}},
      {"tag 0", {"\x00\x01", 2}},
      {"a flag of 2", {"\x0e\x02", 2}},
      {"a QoS of 3", {"\x10\x03", 2}},
      {"a number without an end", {"\x02\xff", 2}},
      {"a record inside that is none", {"\x0d\x01\xff", 3}},
  };
  for (const auto& row : kRows) {
    Sample read;
    EXPECT_FALSE(read_record(row.bytes, read)) << row.what;
  }
}

TEST(Keys, BeginWithVersionSlotAndNamespace) {
  EXPECT_EQ(Key(0x123, KeyKind::kSession).name("ab").bytes(), std::string("\x01\x01\x23\x00S\x02"
                                                                          "ab",
                                                                          8));
}

TEST(Keys, NumbersStandInOrder) {
  const auto key = [](uint64_t number) { return Key(1, KeyKind::kQueue).number(number).bytes(); };
  EXPECT_LT(key(1), key(255));
  EXPECT_LT(key(255), key(256));
  EXPECT_LT(key(256), key(1ull << 63));
}

TEST(Keys, PartsReadWhatWasAppended) {
  const Key key = Key(9, KeyKind::kTimer).number(77).byte(3).name("x/y").text("rest");
  KeyParts parts(key.bytes());
  EXPECT_EQ(parts.kind(), KeyKind::kTimer);
  EXPECT_EQ(parts.number(), 77u);
  EXPECT_EQ(parts.byte(), 3);
  EXPECT_EQ(parts.name(), "x/y");
  EXPECT_EQ(parts.rest(), "rest");
}

TEST(Keys, OfANameAreNotThoseOfALongerOne) {
  const std::string prefix = Key(9, KeyKind::kSubscription).name("a");
  const std::string longer = Key(9, KeyKind::kSubscription).name("ab").text("f");
  EXPECT_FALSE(longer.starts_with(prefix));
}

TEST(Slots, DependOnTheClusterAndSpread) {
  const uint64_t seed = cluster_seed_of(1, 2);
  EXPECT_EQ(slot_of("meter-7", seed), slot_of("meter-7", seed));
  std::set<Slot> slots;
  int moved = 0;
  for (int i = 0; i < 4096; ++i) {
    const std::string name = "meter-" + std::to_string(i);
    EXPECT_LT(slot_of(name, seed), kSlots);
    slots.insert(slot_of(name, seed));
    moved += slot_of(name, seed) != slot_of(name, cluster_seed_of(1, 3));
  }
  // Of 4,096 throws at as many slots 63 % are hit.
  EXPECT_GT(slots.size(), 2400u);
  EXPECT_GT(moved, 4000);
}

TEST(Slots, StayWhatTheyWereOnDisk) { EXPECT_EQ(slot_of("meter-7", cluster_seed_of(1, 2)), 1771); }

// Cut anywhere, and with any byte changed: never more than refused or counted.
TEST(Entry, DamageNeitherCrashesNorSpreads) {
  EntryBuilder builder(5);
  builder.add(connect_op("c"), Source{kNodeA, 1, 0, 1});
  builder.add(PublishOp{message("a/b", "payload")});
  builder.add(AckOp{"c", 7, {AckOp::ack(9, AckKind::kPubrec)}});
  const std::string whole = builder.finish();
  for (size_t size = 0; size <= whole.size(); ++size) {
    Entry entry;
    const Entry::Outcome outcome = read_entry(whole.substr(0, size), entry);
    if (size == whole.size()) EXPECT_EQ(outcome, Entry::Outcome::kRead);
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      TestShard shard;
      shard.apply_bytes(damaged);
    }
  }
}

TEST(Entry, ReadsWhatWasBuilt) {
  EntryBuilder builder(123);
  builder.add(DetachOp{"c", 9, true, 0}, Source{kNodeB, 2, 3, 4});
  builder.add(TickOp{});
  EXPECT_EQ(builder.ops(), 2u);
  const std::string bytes = builder.finish();
  Entry entry;
  ASSERT_EQ(read_entry(bytes, entry), Entry::Outcome::kRead);
  EXPECT_EQ(entry.stamp, 123u);
  ASSERT_EQ(entry.ops.size(), 2u);
  EXPECT_EQ(entry.ops[0].source, (Source{kNodeB, 2, 3, 4}));
  const DetachOp& detach = std::get<DetachOp>(entry.ops[0].op);
  EXPECT_EQ(detach.client_id, "c");
  EXPECT_EQ(detach.expiry_s, 0u);
  EXPECT_TRUE(std::holds_alternative<TickOp>(entry.ops[1].op));
}

TEST(Entry, AnUnknownKindIsSkippedAndCounted) {
  EntryBuilder builder(1);
  builder.add(TickOp{});
  std::string bytes = builder.finish();
  append_varint(99, bytes);
  append_sized("whatever", bytes);
  TestShard shard;
  shard.apply_bytes(bytes);
  EXPECT_EQ(shard.applied, Applied::kApplied);
  EXPECT_EQ(shard.skips(SkipReason::kMalformed), 1u);
}

TEST(Entry, AMalformedOneIsSkippedWholeAndCounted) {
  TestShard shard;
  shard.connect("c");
  const auto before = shard.values;
  const auto hash = shard.state->hash();
  EXPECT_EQ(shard.apply_bytes(""), Effects());
  EXPECT_EQ(shard.apply_bytes("\x01\x05"), Effects());
  EXPECT_EQ(shard.skips(SkipReason::kMalformed), 2u);
  // Of replicas at one index all have counted it.
  EXPECT_NE(shard.state->hash(), hash);
  EXPECT_EQ(shard.values.size(), before.size());
  EXPECT_EQ(shard.state->applied(), 3u);
}

TEST(Entry, OfALaterVersionOrLevelStopsTheReplica) {
  for (const bool by_level : {false, true}) {
    TestShard shard;
    shard.connect("c");
    const auto before = shard.values;
    EntryBuilder builder(1);
    builder.add(connect_op("d"));
    if (by_level) builder.add(FeatureOp{kFeatureLevel + 1});
    std::string bytes = builder.finish();
    if (!by_level) bytes[0] = kEntryVersion + 1;
    shard.apply_bytes(bytes);
    EXPECT_EQ(shard.applied, Applied::kTooNew);
    shard.apply(TickOp{});
    EXPECT_EQ(shard.applied, Applied::kTooNew);
    EXPECT_TRUE(shard.values == before);
  }
}

TEST(Entry, AppliedTwiceCountsOnce) {
  TestShard shard;
  shard.connect("c");
  const auto before = shard.values;
  --shard.index;
  EXPECT_EQ(shard.apply(connect_op("d")), Effects());
  EXPECT_EQ(shard.applied, Applied::kAlready);
  EXPECT_TRUE(shard.values == before);
}

}  // namespace
}  // namespace shoal::shard
