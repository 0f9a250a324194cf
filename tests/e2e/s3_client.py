"""Objects put into an S3 server, signed (AWS Signature Version 4) by another hand than the program's."""
import datetime
import hashlib
import hmac
import http.client
import urllib.parse


def put(url, keys, path, body, region="fr-par"):
    """`path`: BUCKET/NAME."""
    at = urllib.parse.urlsplit(url)
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": at.netloc, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": when}
    names = ";".join(headers)
    target = "/" + urllib.parse.quote(path)
    canonical = "\n".join(["PUT", target, "", *(f"{name}:{value}" for name, value in headers.items()), "", names,
                           headers["x-amz-content-sha256"]])
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + keys["AWS_SECRET_ACCESS_KEY"].encode()
    for part in (when[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={keys['AWS_ACCESS_KEY_ID']}/{scope},SignedHeaders={names},"
                                f"Signature={signature}")
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
    connection.request("PUT", target, body, headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise AssertionError(f"PUT {path}: {answer.status} {answer.read()}")
    connection.close()
