// Lines of words, so that a person can read what a node knows of its cluster:
//
//   shoal-state 1
//   node 5f0c... incarnation 7
//   cluster 9a41...
//   member 5f0c... NAME ADDRESS life 7 0 given-up 0 0 left 0
//   store 1 shards 8 replicas 3 founders 1 5f0c...
//   seed 77d0...        only where it is not the cluster id's
//   sum 0123456789abcdef
//
// The number in the first line is the cluster's level (include/shoal/protocol.h). A file of level 1 is as
// the first version wrote it, so that a node can go back to that; from 2 on there are lines
//   speaks 5f0c... 2
// for what a member speaks.
//
// The sum is over all that stands before its line: a file that a disk or a person damaged must not be
// taken for a state, since a node may come back only as what it was.
#include "node/serve/state_file.h"

#include <array>
#include <cstdio>
#include <vector>

#include "node/serve/hex.h"
#include "shoal/protocol.h"

namespace shoal {
namespace {

constexpr std::string_view kHeader = "shoal-state ";

uint64_t sum_of(std::string_view text) {  // FNV-1a
  uint64_t sum = 0xcbf29ce484222325;
  for (const char c : text) sum = (sum ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return sum;
}

// A name as one word, never empty.
std::string word_of(std::string_view name) {
  std::string word = "=";
  for (const char c : name) {
    if (c > ' ' && c != '%' && c != 0x7f) {
      word += c;
      continue;
    }
    std::array<char, 4> escaped{};
    std::snprintf(escaped.data(), escaped.size(), "%%%02x", static_cast<uint8_t>(c));
    word += escaped.data();
  }
  return word;
}

// The words of a file, taken in order; once one does not fit, nothing does.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}

  std::string_view next() {
    const size_t begin = rest_.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return {};
    rest_.remove_prefix(begin);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \n"));
    rest_.remove_prefix(word.size());
    return word;
  }
  void expect(std::string_view word) { fits_ = fits_ && next() == word; }
  uint64_t number(int base) {
    const std::string word(next());
    char* end = nullptr;
    const uint64_t value = std::strtoull(word.c_str(), &end, base);
    fits_ = fits_ && !word.empty() && *end == '\0';
    return value;
  }
  uint64_t number_after(std::string_view word) {
    expect(word);
    return number(10);
  }
  std::string name();
  bool fits() const { return fits_; }

 private:
  std::string_view rest_;
  bool fits_ = true;
};

std::string Words::name() {
  std::string_view word = next();
  fits_ = fits_ && word.starts_with('=');
  std::string name;
  for (size_t i = 1; i < word.size(); ++i) {
    if (word[i] != '%') {
      name += word[i];
      continue;
    }
    name +=
        static_cast<char>(std::strtoul(std::string(word.substr(i + 1, 2)).c_str(), nullptr, 16));
    i += 2;
  }
  return name;
}

StoredMember member_of(Words& words) {
  StoredMember member;
  member.id.value = words.number(16);
  member.name = words.name();
  member.address = words.name();
  member.life.incarnation = words.number_after("life");
  member.life.closes = static_cast<uint32_t>(words.number(10));
  member.given_up.incarnation = words.number_after("given-up");
  member.given_up.closes = static_cast<uint32_t>(words.number(10));
  member.left = words.number_after("left") != 0;
  return member;
}

std::string text_of(const StoredMember& member) {
  const auto life = [](const Life& of) {
    return std::to_string(of.incarnation) + " " + std::to_string(of.closes);
  };
  return "member " + hex(member.id.value) + " " + word_of(member.name) + " " +
         word_of(member.address) + " life " + life(member.life) + " given-up " +
         life(member.given_up) + " left " + (member.left ? "1" : "0") + "\n";
}

void read_speaks(Words& words, std::vector<StoredMember>& members) {
  const NodeId id{words.number(16)};
  const uint64_t speaks = words.number(10);
  for (StoredMember& member : members) {
    if (member.id == id) member.speaks = static_cast<uint32_t>(speaks);
  }
}

StoreFounding store_of(Words& words) {
  StoreFounding store;
  store.shards = static_cast<uint32_t>(words.number_after("shards"));
  store.replicas = static_cast<uint32_t>(words.number_after("replicas"));
  const uint64_t founders = words.number_after("founders");
  for (uint64_t i = 0; i < founders && words.fits(); ++i) {
    store.founders.push_back({words.number(16)});
  }
  return store;
}

std::string text_of(const StoreFounding& store, bool has_store) {
  std::string text = "store " + std::to_string(has_store ? 1 : 0) + " shards " +
                     std::to_string(store.shards) + " replicas " + std::to_string(store.replicas) +
                     " founders " + std::to_string(store.founders.size());
  for (const NodeId founder : store.founders) text += " " + hex(founder.value);
  text += "\n";
  if (store.seed != 0) text += "seed " + hex(store.seed) + "\n";
  return text;
}

}  // namespace

std::string state_text_of(const StoredState& state) {
  std::string text = std::string(kHeader) + std::to_string(state.level);
  text += "\nnode " + hex(state.id.value) + " incarnation " + std::to_string(state.incarnation);
  text += "\ncluster " + hex(state.cluster.high) + " " + hex(state.cluster.low) + "\n";
  for (const StoredMember& member : state.members) text += text_of(member);
  for (const StoredMember& member : state.members) {
    if (state.level < 2 || member.speaks == 0) continue;
    text += "speaks " + hex(member.id.value) + " " + std::to_string(member.speaks) + "\n";
  }
  text += text_of(state.store, state.has_store);
  return text + "sum " + hex(sum_of(text)) + "\n";
}

namespace {

// What stands between the first word and the sum, if that fits.
std::optional<Words> checked_words(std::string_view text) {
  const size_t sum_line = text.rfind("sum ");
  if (sum_line == std::string_view::npos || !text.starts_with(kHeader)) return std::nullopt;
  if (text.substr(sum_line) != "sum " + hex(sum_of(text.substr(0, sum_line))) + "\n") {
    return std::nullopt;
  }
  return Words(text.substr(kHeader.size(), sum_line - kHeader.size()));
}

}  // namespace

std::optional<uint32_t> level_of_text(std::string_view text) {
  std::optional<Words> words = checked_words(text);
  if (!words) return std::nullopt;
  const uint64_t level = words->number(10);
  return words->fits() ? std::optional(static_cast<uint32_t>(level)) : std::nullopt;
}

std::optional<StoredState> state_of_text(std::string_view text) {
  std::optional<Words> checked = checked_words(text);
  if (!checked) return std::nullopt;
  Words& words = *checked;
  StoredState state;
  state.level = static_cast<uint32_t>(words.number(10));
  if (state.level < kProtocolMin || state.level > kProtocolMax) return std::nullopt;
  words.expect("node");
  state.id.value = words.number(16);
  state.incarnation = words.number_after("incarnation");
  words.expect("cluster");
  state.cluster.high = words.number(16);
  state.cluster.low = words.number(16);
  for (auto word = words.next(); !word.empty() && words.fits(); word = words.next()) {
    if (word == "member") {
      state.members.push_back(member_of(words));
    } else if (word == "speaks") {
      read_speaks(words, state.members);
    } else if (word == "store") {
      state.has_store = words.number(10) != 0;
      state.store = store_of(words);
    } else if (word == "seed") {
      state.store.seed = words.number(16);
    } else {
      return std::nullopt;
    }
  }
  return words.fits() ? std::optional(std::move(state)) : std::nullopt;
}

}  // namespace shoal
