// What the admin address says in JSON.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <utility>

#include "node/runtime/admin_server.h"

namespace shoal {

inline AdminResponse json_response(const boost::json::value& value, int status = 200) {
  return {status, boost::json::serialize(value) + "\n", "application/json"};
}

inline AdminResponse error_response(int status, std::string why) {
  return json_response({{"error", std::move(why)}}, status);
}

}  // namespace shoal
