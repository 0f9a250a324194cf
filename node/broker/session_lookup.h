// How sessions are found by their client id.
#pragma once

#include <cstddef>
#include <string_view>

#include <absl/hash/hash.h>

#include "node/broker/session.h"

namespace shoal {

// Sessions by their client id, without a copy of it.
struct HashClientId {
  using is_transparent = void;
  size_t operator()(std::string_view client_id) const { return absl::HashOf(client_id); }
  size_t operator()(const Session* s) const { return (*this)(s->client_id); }
};
struct EqualClientId {
  using is_transparent = void;
  static std::string_view id_of(std::string_view client_id) { return client_id; }
  static std::string_view id_of(const Session* s) { return s->client_id; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return id_of(a) == id_of(b);
  }
};

}  // namespace shoal
