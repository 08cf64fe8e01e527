"""Cases of S3, in the groups of ceph's s3-tests: each says one thing that a client relies on.

The environment says where the door is and who may what; it prints each case that fails and `N of M`.
"""

import base64
import hashlib
import json
import os
import sys
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import ssl
import zlib

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, CERTIFICATE = os.environ["ENDPOINT"], os.environ["CERTIFICATE"]
B, V, ALT = os.environ["BUCKET"], os.environ["VERSIONED"], os.environ["OTHER"]
PART = 5 << 20


def client(access, secret):
    signature = UNSIGNED if access is None else "s3v4"
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=access or "none",
        aws_secret_access_key=secret or "none",
        region_name="us-east-1",
        verify=CERTIFICATE,
        config=Config(
            signature_version=signature,
            s3={"addressing_style": "path"},
            retries={"max_attempts": 0},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ) if "request_checksum_calculation" in Config.OPTION_DEFAULTS else Config(
            signature_version=signature, s3={"addressing_style": "path"}, retries={"max_attempts": 0}
        ),
    )


def env(name):
    return os.environ[name + "_ACCESS"], os.environ[name + "_SECRET"]


s3 = client(*env("ADMIN"))
vs = client(*env("VERSIONED"))
reader = client(*env("READER"))
alt = client(*env("ALT"))
anyone = client(None, None)

CASES = []


def case(group):
    def add(function):
        CASES.append((group, function.__name__, function, ()))
        return function

    return add


def cases(group, rows):
    """One function, a case for each row of a table."""

    def add(function):
        for row in rows:
            row = row if isinstance(row, tuple) else (row,)
            name = f"{function.__name__}[{', '.join(repr(one)[:40] for one in row)}]"
            CASES.append((group, name, function, row))
        return function

    return add


def eq(found, wanted):
    assert found == wanted, f"{found!r} and not {wanted!r}"


def refused(status, code, call, **words):
    try:
        call(**words)
    except ClientError as error:
        got = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        eq(got, (status, code))
        return error.response
    raise AssertionError(f"{status} {code} did not come")


def empty(c, bucket):
    while True:
        found = c.list_object_versions(Bucket=bucket)
        gone = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found.get("Versions", []) + found.get("DeleteMarkers", [])]
        if not gone:
            break
        c.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})
    for one in c.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        c.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])


def reset():
    s3.delete_bucket_policy(Bucket=B)
    s3.put_bucket_acl(Bucket=B, ACL="private")
    empty(s3, B)
    empty(vs, V)
    vs.put_bucket_versioning(Bucket=V, VersioningConfiguration={"Status": "Enabled"})


def put(*names, bucket=B, body=None, **words):
    for name in names:
        last = s3.put_object(Bucket=bucket, Key=name, Body=name.encode() if body is None else body, **words)
    return last


def body(c, key, bucket=B, **words):
    return c.get_object(Bucket=bucket, Key=key, **words)["Body"].read()


def names(found):
    return [one["Key"] for one in found.get("Contents", [])], [one["Prefix"] for one in found.get("CommonPrefixes", [])]


def raw(method, path, headers=None, data=None, bucket=B):
    """A request of nobody, or one that boto3 would not send."""
    url = path if path.startswith("https") else f"{ENDPOINT}/{bucket}{path}"
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    context = ssl.create_default_context(cafile=CERTIFICATE)
    try:
        with urllib.request.urlopen(request, context=context, timeout=3) as got:
            return got.status, got.read(), got.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


# Lists, by both versions of the call

LISTS = ("list_objects", "list_objects_v2")
TREE = ("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")


def both(rows):
    return [(call, *(row if isinstance(row, tuple) else (row,))) for call in LISTS for row in rows]


@cases("list", both([
    ("", "/", ["asdf"], ["boo/", "cquux/"]),
    ("boo/", "/", ["boo/bar"], ["boo/baz/"]),
    ("boo", "", ["boo/bar", "boo/baz/xyzzy"], []),
    ("boo/ba", "/", ["boo/bar"], ["boo/baz/"]),
    ("", "a", ["cquux/thud"], ["a", "boo/ba", "cquux/bla"]),
    ("", "z", ["asdf", "boo/bar", "cquux/bla", "cquux/thud"], ["boo/baz"]),
    ("none", "/", [], []),
    ("\n", "", [], []),
    ("asdf", "", ["asdf"], []),
    ("", "uu", ["asdf", "boo/bar", "boo/baz/xyzzy"], ["cquu"]),
    ("", "%", list(sorted(TREE)), []),
    ("", " ", list(sorted(TREE)), []),
    ("cquux/", "h", ["cquux/bla"], ["cquux/th"]),
]))
def prefix_and_delimiter(call, prefix, delimiter, keys, prefixes):
    put(*TREE)
    words = {"Delimiter": delimiter} if delimiter else {}
    found = getattr(s3, call)(Bucket=B, Prefix=prefix, **words)
    eq(names(found), (keys, prefixes))
    eq(found.get("Prefix"), prefix)
    eq(found.get("IsTruncated"), False)


@cases("list", both([0, 1, 2, 3, 5, 1000, 2000]))
def max_keys(call, most):
    put(*TREE)
    found = getattr(s3, call)(Bucket=B, MaxKeys=most)
    eq(len(names(found)[0]), min(most, 5))
    eq(found["IsTruncated"], 0 < most < 5)


@cases("list", both(["", "/"]))
def pages_are_all_there_is(call, delimiter):
    put(*TREE, *[f"n{number:02}" for number in range(20)])
    seen, words = [], {"Delimiter": delimiter} if delimiter else {}
    more = {}
    while True:
        found = getattr(s3, call)(Bucket=B, MaxKeys=2, **words, **more)
        keys, prefixes = names(found)
        assert len(keys) + len(prefixes) <= 2
        seen += keys + prefixes
        if not found["IsTruncated"]:
            break
        if call == "list_objects":
            more = {"Marker": found.get("NextMarker") or keys[-1]}
        else:
            more = {"ContinuationToken": found["NextContinuationToken"]}
    every = s3.list_objects_v2(Bucket=B, **words)
    eq(sorted(seen), sorted(sum(names(every), [])))
    eq(len(set(seen)), len(seen))


@cases("list", [("", 5), ("boo", 4), ("boo/bar", 3), ("zzz", 0), ("b\n", 4), ("boo/baz/xyzzy", 2)])
def marker(after, left):
    put(*TREE)
    found = s3.list_objects(Bucket=B, Marker=after)
    eq(len(names(found)[0]), left)
    eq(found["Marker"], after)


@cases("list", [("", 5), ("boo", 4), ("boo/bar", 3), ("zzz", 0), ("cquux/", 2)])
def start_after(after, left):
    put(*TREE)
    found = s3.list_objects_v2(Bucket=B, StartAfter=after)
    eq(len(names(found)[0]), left)
    eq(found["KeyCount"], left)


@case("list")
def key_count_counts_prefixes():
    put(*TREE)
    eq(s3.list_objects_v2(Bucket=B, Delimiter="/")["KeyCount"], 3)


@cases("list", [(True,), (False,)])
def fetch_owner(wanted):
    put("a")
    one = s3.list_objects_v2(Bucket=B, FetchOwner=wanted)["Contents"][0]
    eq("Owner" in one, wanted)


@case("list")
def version_one_tells_owners():
    put("a")
    assert s3.list_objects(Bucket=B)["Contents"][0]["Owner"]["ID"]


@cases("list", LISTS)
def encoding_url(call):
    put("foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b")
    found = getattr(s3, call)(Bucket=B, Delimiter="/", EncodingType="url")
    eq(found["EncodingType"], "url")
    eq(names(found), (["asdf%2Bb"], ["foo%2B1/", "foo/", "quux%20ab/"]))


@cases("list", LISTS)
def bad_max_keys(call):
    status, _, _ = raw("GET", "?max-keys=blah" + ("&list-type=2" if call == LISTS[1] else ""))
    assert status in (400, 403), status


@cases("list", LISTS)
def an_empty_bucket_lists_nothing(call):
    found = getattr(s3, call)(Bucket=B)
    eq(("Contents" in found, found["IsTruncated"]), (False, False))


@case("list")
def lists_say_size_etag_time_and_class():
    put("a", body=b"12345")
    one = s3.list_objects_v2(Bucket=B)["Contents"][0]
    head = s3.head_object(Bucket=B, Key="a")
    eq((one["Size"], one["ETag"], one["StorageClass"]), (5, head["ETag"], "STANDARD"))
    eq(int(one["LastModified"].timestamp()), int(head["LastModified"].timestamp()))


@case("list")
def of_no_bucket():
    refused(404, "NoSuchBucket", s3.list_objects_v2, Bucket="there-is-none")


@case("list")
def a_false_token_is_refused():
    refused(400, "InvalidArgument", s3.list_objects_v2, Bucket=B, ContinuationToken="???")


@case("list")
def keys_are_sorted_by_their_bytes():
    odd = ["Z", "a", "a b", "a-b", "a.b", "a/b", "aa", "é", "z", "日本"]
    put(*odd)
    eq(names(s3.list_objects_v2(Bucket=B))[0], sorted(odd, key=lambda key: key.encode()))


# Objects

@cases("object", [
    "a", "a/b/c", "/leading", "trailing/", "//", "a//b", ".", "..", "../x", "a/../b", " ", "a b", "+", "a+b",
    "%", "%20", "a%2Fb", "?", "a?b=c", "#", "&", "=", "é", "日本語", "😀", "'", '"', "<>", "\\", "~", "*",
    "a\tb", "x" * 1024, "_", "-", ":", ";", "@", "!", "$", "(", ")", "[", "]", "{", "}", "|", "^", "`", ",",
])
def names_of_all_kinds(key):
    put(key, body=b"x")
    eq(body(s3, key), b"x")
    eq(names(s3.list_objects_v2(Bucket=B))[0], [key])
    s3.delete_object(Bucket=B, Key=key)
    refused(404, "NoSuchKey", s3.get_object, Bucket=B, Key=key)


@case("object")
def a_key_too_long():
    refused(400, "KeyTooLongError", s3.put_object, Bucket=B, Key="x" * 1025, Body=b"")


@cases("object", [0, 1, 100, 16383, 16384, 16385, 65536, 1 << 20, (1 << 20) + 1])
def sizes(size):
    data = os.urandom(size)
    etag = put("a", body=data)["ETag"]
    eq(etag, '"%s"' % hashlib.md5(data).hexdigest())
    got = s3.get_object(Bucket=B, Key="a")
    eq((got["ContentLength"], got["ETag"]), (size, etag))
    assert got["Body"].read() == data
    eq(s3.head_object(Bucket=B, Key="a")["ContentLength"], size)


@case("object")
def a_put_replaces_all():
    put("a", body=b"one", Metadata={"m": "1"}, ContentType="text/x", Tagging="k=v")
    put("a", body=b"two")
    got = s3.get_object(Bucket=B, Key="a")
    eq((got["Body"].read(), got["Metadata"], got["ContentType"]), (b"two", {}, "binary/octet-stream"))
    eq(s3.get_object_tagging(Bucket=B, Key="a")["TagSet"], [])


@cases("object", [
    ("CacheControl", "public, max-age=14400"), ("ContentDisposition", 'attachment; filename="a b"'),
    ("ContentEncoding", "gzip"), ("ContentLanguage", "de"), ("ContentType", "text/plain; charset=utf-8"),
])
def headers_come_back(header, value):
    put("a", **{header: value})
    eq(s3.get_object(Bucket=B, Key="a")[header], value)
    eq(s3.head_object(Bucket=B, Key="a")[header], value)


@case("object")
def expires_comes_back():
    put("a", Expires="Wed, 21 Oct 2037 07:28:00 GMT")
    eq(s3.head_object(Bucket=B, Key="a")["ResponseMetadata"]["HTTPHeaders"]["expires"], "Wed, 21 Oct 2037 07:28:00 GMT")


@cases("object", [{}, {"a": "b"}, {"one": "1", "two": "2"}, {"x-y": "z"}, {"case": "MiXeD"}, {"e": ""}])
def metadata(given):
    put("a", Metadata=given)
    eq(s3.head_object(Bucket=B, Key="a")["Metadata"], given)


@case("object")
def metadata_too_large():
    refused(400, "MetadataTooLarge", s3.put_object, Bucket=B, Key="a", Body=b"", Metadata={"m": "x" * 2100})


@cases("object", [
    ("ResponseCacheControl", "CacheControl", "no-cache"), ("ResponseContentDisposition", "ContentDisposition", "bla"),
    ("ResponseContentEncoding", "ContentEncoding", "aaa"), ("ResponseContentLanguage", "ContentLanguage", "esperanto"),
    ("ResponseContentType", "ContentType", "foo/bar"),
])
def answers_say_what_is_asked_for(wish, header, value):
    put("a")
    eq(s3.get_object(Bucket=B, Key="a", **{wish: value})[header], value)


@case("object")
def what_is_not_there():
    refused(404, "NoSuchKey", s3.get_object, Bucket=B, Key="none")
    refused(404, "404", s3.head_object, Bucket=B, Key="none")
    refused(404, "NoSuchBucket", s3.get_object, Bucket="there-is-none", Key="a")
    refused(404, "NoSuchBucket", s3.put_object, Bucket="there-is-none", Key="a", Body=b"")
    eq(s3.delete_object(Bucket=B, Key="none")["ResponseMetadata"]["HTTPStatusCode"], 204)


@cases("object", [
    ("bytes=4-7", b"4567", "bytes 4-7/10"), ("bytes=4-", b"456789", "bytes 4-9/10"), ("bytes=-3", b"789", "bytes 7-9/10"),
    ("bytes=0-0", b"0", "bytes 0-0/10"), ("bytes=0-99", b"0123456789", "bytes 0-9/10"), ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ("bytes=9-9", b"9", "bytes 9-9/10"),
])
def ranges(wish, data, says):
    put("a", body=b"0123456789")
    got = s3.get_object(Bucket=B, Key="a", Range=wish)
    eq((got["Body"].read(), got["ContentRange"], got["ResponseMetadata"]["HTTPStatusCode"]), (data, says, 206))
    eq(got["AcceptRanges"], "bytes")


@cases("object", ["bytes=10-", "bytes=40-50", "bytes=-0"])
def ranges_that_are_not_there(wish):
    put("a", body=b"0123456789")
    refused(416, "InvalidRange", s3.get_object, Bucket=B, Key="a", Range=wish)


@case("object")
def a_range_of_nothing():
    put("a", body=b"")
    refused(416, "InvalidRange", s3.get_object, Bucket=B, Key="a", Range="bytes=40-50")


# Conditions

PAST, FUTURE = "Sat, 29 Oct 1994 19:43:31 GMT", "Tue, 29 Oct 2050 19:43:31 GMT"


@cases("conditions", [
    ("get_object", {"IfMatch": "ETAG"}, None), ("get_object", {"IfMatch": '"bad"'}, (412, "PreconditionFailed")),
    ("get_object", {"IfNoneMatch": "ETAG"}, (304, "304")), ("get_object", {"IfNoneMatch": '"bad"'}, None),
    ("get_object", {"IfModifiedSince": PAST}, None), ("get_object", {"IfModifiedSince": FUTURE}, (304, "304")),
    ("get_object", {"IfUnmodifiedSince": PAST}, (412, "PreconditionFailed")), ("get_object", {"IfUnmodifiedSince": FUTURE}, None),
    ("get_object", {"IfMatch": "ETAG", "IfUnmodifiedSince": PAST}, None),
    ("get_object", {"IfNoneMatch": "ETAG", "IfModifiedSince": PAST}, (304, "304")),
    ("head_object", {"IfMatch": "ETAG"}, None), ("head_object", {"IfMatch": '"bad"'}, (412, "412")),
    ("head_object", {"IfNoneMatch": "ETAG"}, (304, "304")), ("head_object", {"IfNoneMatch": '"bad"'}, None),
    ("head_object", {"IfModifiedSince": FUTURE}, (304, "304")), ("head_object", {"IfUnmodifiedSince": PAST}, (412, "412")),
])
def of_reads(call, words, answer):
    etag = put("a")["ETag"]
    words = {key: etag if value == "ETAG" else value for key, value in words.items()}
    if answer is None:
        getattr(s3, call)(Bucket=B, Key="a", **words)
    else:
        refused(*answer, getattr(s3, call), Bucket=B, Key="a", **words)


@cases("conditions", [
    ("there", {"IfNoneMatch": "*"}, (412, "PreconditionFailed")), ("absent", {"IfNoneMatch": "*"}, None),
    ("there", {"IfMatch": "ETAG"}, None), ("there", {"IfMatch": '"bad"'}, (412, "PreconditionFailed")),
    ("absent", {"IfMatch": '"bad"'}, (404, "NoSuchKey")), ("there", {"IfMatch": "*"}, None), ("absent", {"IfMatch": "*"}, (404, "NoSuchKey")),
])
def of_puts(which, words, answer):
    etag = put("there", body=b"old")["ETag"]
    words = {key: etag if value == "ETAG" else value for key, value in words.items()}
    if answer is None:
        s3.put_object(Bucket=B, Key=which, Body=b"new", **words)
        eq(body(s3, which), b"new")
    else:
        refused(*answer, s3.put_object, Bucket=B, Key=which, Body=b"new", **words)
        eq(body(s3, "there"), b"old")


@cases("conditions", [({"IfMatch": "ETAG"}, None), ({"IfMatch": '"bad"'}, (412, "PreconditionFailed"))])
def of_deletes(words, answer):
    etag = put("a")["ETag"]
    words = {key: etag if value == "ETAG" else value for key, value in words.items()}
    if answer is None:
        s3.delete_object(Bucket=B, Key="a", **words)
    else:
        refused(*answer, s3.delete_object, Bucket=B, Key="a", **words)


# Checks of contents

@case("checks")
def content_md5():
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=B, Key="a", Body=b"x", ContentMD5=good)
    refused(400, "BadDigest", s3.put_object, Bucket=B, Key="a", Body=b"y", ContentMD5=good)
    refused(400, "InvalidDigest", s3.put_object, Bucket=B, Key="a", Body=b"y", ContentMD5="bad")
    eq(body(s3, "a"), b"x")


@cases("checks", ["CRC32", "SHA1", "SHA256"])
def checksums(algorithm):
    data = b"checked"
    sums = {
        "CRC32": zlib.crc32(data).to_bytes(4, "big"), "SHA1": hashlib.sha1(data).digest(), "SHA256": hashlib.sha256(data).digest(),
    }
    good, field = base64.b64encode(sums[algorithm]).decode(), "Checksum" + algorithm
    eq(s3.put_object(Bucket=B, Key="a", Body=data, **{field: good})[field], good)
    eq(s3.head_object(Bucket=B, Key="a", ChecksumMode="ENABLED")[field], good)
    refused(400, "BadDigest", s3.put_object, Bucket=B, Key="a", Body=b"other", **{field: good})


# Deleting many

@case("delete many")
def all_that_are_named():
    put(*TREE)
    found = s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": key} for key in TREE] + [{"Key": "none"}]})
    eq(sorted(one["Key"] for one in found["Deleted"]), sorted([*TREE, "none"]))
    eq(names(s3.list_objects_v2(Bucket=B))[0], [])


@case("delete many")
def quietly():
    put("a")
    assert "Deleted" not in s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "a"}], "Quiet": True})


@case("delete many")
def a_thousand_and_no_more():
    rows = [{"Key": f"k{number}"} for number in range(1001)]
    eq(len(s3.delete_objects(Bucket=B, Delete={"Objects": rows[:1000]})["Deleted"]), 1000)
    refused(400, "MalformedXML", s3.delete_objects, Bucket=B, Delete={"Objects": rows})


@case("delete many")
def of_somebody_who_may_not():
    put("a")
    for c in (reader, alt, anyone):
        found = c.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "a"}]})
        eq([one["Code"] for one in found["Errors"]], ["AccessDenied"])
    eq(body(s3, "a"), b"a")


# Copies

@cases("copy", [0, 10, 100_000])
def of_sizes(size):
    data = os.urandom(size)
    put("a", body=data, ContentType="text/x", Metadata={"m": "1"}, Tagging="k=v")
    s3.copy_object(Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "a"})
    got = s3.get_object(Bucket=B, Key="b")
    assert got["Body"].read() == data
    eq((got["ContentType"], got["Metadata"], got["TagCount"]), ("text/x", {"m": "1"}, 1))


@case("copy")
def to_itself():
    put("a")
    refused(400, "InvalidRequest", s3.copy_object, Bucket=B, Key="a", CopySource={"Bucket": B, "Key": "a"})
    s3.copy_object(Bucket=B, Key="a", CopySource={"Bucket": B, "Key": "a"}, MetadataDirective="REPLACE", Metadata={"n": "2"})
    eq(s3.head_object(Bucket=B, Key="a")["Metadata"], {"n": "2"})


@case("copy")
def with_other_metadata_and_tags():
    put("a", ContentType="text/x", Metadata={"m": "1"}, Tagging="k=v")
    s3.copy_object(Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "a"}, MetadataDirective="REPLACE", ContentType="text/y", TaggingDirective="REPLACE", Tagging="x=y&z=1")
    got = s3.head_object(Bucket=B, Key="b")
    eq((got["ContentType"], got["Metadata"]), ("text/y", {}))
    eq(len(s3.get_object_tagging(Bucket=B, Key="b")["TagSet"]), 2)


@cases("copy", ["a b", "ä/ö", "a+b", "a?b", "a%20b"])
def of_odd_names(key):
    put(key, body=b"odd")
    s3.copy_object(Bucket=B, Key="copy of " + key, CopySource={"Bucket": B, "Key": key})
    eq(body(s3, "copy of " + key), b"odd")


@cases("copy", [
    ({"CopySourceIfMatch": "ETAG"}, True), ({"CopySourceIfMatch": '"bad"'}, False), ({"CopySourceIfNoneMatch": "ETAG"}, False),
    ({"CopySourceIfNoneMatch": '"bad"'}, True), ({"CopySourceIfModifiedSince": FUTURE}, False), ({"CopySourceIfUnmodifiedSince": PAST}, False),
])
def under_conditions(words, may):
    etag = put("a")["ETag"]
    words = {key: etag if value == "ETAG" else value for key, value in words.items()}
    if may:
        s3.copy_object(Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "a"}, **words)
    else:
        refused(412, "PreconditionFailed", s3.copy_object, Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "a"}, **words)


@case("copy")
def of_nothing():
    refused(404, "NoSuchKey", s3.copy_object, Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "none"})


@case("copy")
def of_an_older_version():
    one = vs.put_object(Bucket=V, Key="a", Body=b"1")["VersionId"]
    vs.put_object(Bucket=V, Key="a", Body=b"2")
    got = vs.copy_object(Bucket=V, Key="b", CopySource={"Bucket": V, "Key": "a", "VersionId": one})
    eq(got["CopySourceVersionId"], one)
    eq(body(vs, "b", V), b"1")


# Parts

def upload(key="parts", sizes=(PART, PART, 100), c=None, bucket=B, **words):
    c = c or s3
    made = c.create_multipart_upload(Bucket=bucket, Key=key, **words)["UploadId"]
    parts, data = [], b""
    for number, size in enumerate(sizes, 1):
        chunk = bytes([number]) * size
        etag = c.upload_part(Bucket=bucket, Key=key, UploadId=made, PartNumber=number, Body=chunk)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
        data += chunk
    return made, parts, data


def complete(made, parts, key="parts", **words):
    return s3.complete_multipart_upload(Bucket=B, Key=key, UploadId=made, MultipartUpload={"Parts": parts}, **words)


@cases("parts", [((100,),), ((PART, 100),), ((PART, PART),), ((PART, PART + 1, 1),)])
def of_several_sizes(sizes):
    made, parts, data = upload(sizes=sizes, ContentType="text/x", Metadata={"m": "1"}, Tagging="a=b")
    etag = complete(made, parts)["ETag"]
    digest = hashlib.md5(b"".join(bytes.fromhex(part["ETag"].strip('"')) for part in parts)).hexdigest()
    eq(etag, f'"{digest}-{len(sizes)}"')
    got = s3.get_object(Bucket=B, Key="parts")
    assert got["Body"].read() == data
    eq((got["ContentType"], got["Metadata"], got["TagCount"], got["ETag"]), ("text/x", {"m": "1"}, 1, etag))


@case("parts")
def ranges_across_parts():
    made, parts, data = upload()
    complete(made, parts)
    eq(body(s3, "parts", Range=f"bytes={PART - 5}-{PART + 4}"), data[PART - 5 : PART + 5])


@case("parts")
def one_part_again_by_its_number():
    made, parts, data = upload()
    complete(made, parts)
    for number, size in ((1, PART), (2, PART), (3, 100)):
        for call in (s3.get_object, s3.head_object):
            got = call(Bucket=B, Key="parts", PartNumber=number)
            eq((got["ContentLength"], got["PartsCount"]), (size, 3))
        eq(s3.get_object(Bucket=B, Key="parts", PartNumber=number)["ResponseMetadata"]["HTTPStatusCode"], 206)
    eq(body(s3, "parts", PartNumber=2), b"\2" * PART)
    refused(400, "InvalidPart", s3.get_object, Bucket=B, Key="parts", PartNumber=4)


@case("parts")
def the_only_part_of_what_came_whole():
    put("a", body=b"whole")
    eq(body(s3, "a", PartNumber=1), b"whole")
    refused(400, "InvalidPart", s3.get_object, Bucket=B, Key="a", PartNumber=2)


@case("parts")
def a_part_in_place_of_another():
    made, parts, _ = upload(sizes=(PART, 10))
    parts[0]["ETag"] = s3.upload_part(Bucket=B, Key="parts", UploadId=made, PartNumber=1, Body=b"n" * PART)["ETag"]
    complete(made, parts)
    eq(body(s3, "parts", Range="bytes=0-2"), b"nnn")


@case("parts")
def too_small():
    made, parts, _ = upload(sizes=(10, 10))
    refused(400, "EntityTooSmall", s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=made, MultipartUpload={"Parts": parts})


@case("parts")
def another_etag():
    made, parts, _ = upload(sizes=(PART, 10))
    parts[0]["ETag"] = '"ffffffffffffffffffffffffffffffff"'
    refused(400, "InvalidPart", s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=made, MultipartUpload={"Parts": parts})


@case("parts")
def out_of_order():
    made, parts, _ = upload(sizes=(PART, 10))
    refused(400, "InvalidPartOrder", s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=made, MultipartUpload={"Parts": parts[::-1]})


@case("parts")
def none_at_all():
    made, _, _ = upload(sizes=())
    refused(400, "MalformedXML", s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=made, MultipartUpload={"Parts": []})


@case("parts")
def a_part_that_is_missing():
    made, parts, _ = upload(sizes=(PART, 10))
    parts.append({"PartNumber": 9, "ETag": parts[0]["ETag"]})
    refused(400, "InvalidPart", s3.complete_multipart_upload, Bucket=B, Key="parts", UploadId=made, MultipartUpload={"Parts": parts})


@case("parts")
def some_of_them():
    made, parts, _ = upload(sizes=(PART, PART, 10))
    complete(made, [parts[0], parts[2]])
    eq(s3.head_object(Bucket=B, Key="parts")["ContentLength"], PART + 10)


@case("parts")
def given_up():
    made, _, _ = upload(sizes=(10,))
    s3.abort_multipart_upload(Bucket=B, Key="parts", UploadId=made)
    refused(404, "NoSuchUpload", s3.abort_multipart_upload, Bucket=B, Key="parts", UploadId=made)
    refused(404, "NoSuchUpload", s3.list_parts, Bucket=B, Key="parts", UploadId=made)
    refused(404, "NoSuchUpload", s3.upload_part, Bucket=B, Key="parts", UploadId=made, PartNumber=1, Body=b"x")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=B)


@cases("parts", [0, 10001, -1])
def numbers_that_are_none(number):
    made, _, _ = upload(sizes=())
    refused(400, "InvalidArgument", s3.upload_part, Bucket=B, Key="parts", UploadId=made, PartNumber=number, Body=b"x")


@case("parts")
def lists_of_uploads():
    for key in ("a", "b", "b", "c/d"):
        upload(key=key, sizes=(10,))
    found = s3.list_multipart_uploads(Bucket=B)
    eq([one["Key"] for one in found["Uploads"]], ["a", "b", "b", "c/d"])
    eq([one["Key"] for one in s3.list_multipart_uploads(Bucket=B, Prefix="b")["Uploads"]], ["b", "b"])
    first = s3.list_multipart_uploads(Bucket=B, MaxUploads=2)
    eq(first["IsTruncated"], True)
    rest = s3.list_multipart_uploads(Bucket=B, KeyMarker=first["NextKeyMarker"], UploadIdMarker=first["NextUploadIdMarker"])
    eq([one["Key"] for one in rest["Uploads"]], ["b", "c/d"])


@case("parts")
def lists_of_uploads_with_a_delimiter():
    for key in ("a", "c/d", "c/e"):
        upload(key=key, sizes=())
    found = s3.list_multipart_uploads(Bucket=B, Delimiter="/")
    eq([one["Key"] for one in found["Uploads"]], ["a"])
    eq([one["Prefix"] for one in found["CommonPrefixes"]], ["c/"])


@case("parts")
def lists_of_parts():
    made, parts, _ = upload(sizes=(10, 11, 12))
    found = s3.list_parts(Bucket=B, Key="parts", UploadId=made, MaxParts=2)
    eq([(one["PartNumber"], one["Size"]) for one in found["Parts"]], [(1, 10), (2, 11)])
    rest = s3.list_parts(Bucket=B, Key="parts", UploadId=made, PartNumberMarker=found["NextPartNumberMarker"])
    eq(([one["PartNumber"] for one in rest["Parts"]], rest["IsTruncated"]), ([3], False))


@case("parts")
def completed_twice():
    made, parts, _ = upload(sizes=(10,))
    first = complete(made, parts)["ETag"]
    try:
        eq(complete(made, parts)["ETag"], first)
    except ClientError as error:
        eq(error.response["Error"]["Code"], "NoSuchUpload")


@cases("parts", [("*", "there", False), ("*", "absent", True)])
def completed_under_conditions(etag, which, may):
    put("there")
    made, parts, _ = upload(key=which, sizes=(10,))
    if may:
        complete(made, parts, key=which, IfNoneMatch=etag)
    else:
        refused(412, "PreconditionFailed", s3.complete_multipart_upload, Bucket=B, Key=which, UploadId=made, MultipartUpload={"Parts": parts}, IfNoneMatch=etag)


@cases("parts", [(None, 100), ("bytes=0-9", 10), ("bytes=90-99", 10), ("bytes=50-50", 1)])
def copied_from_objects(wish, size):
    put("from", body=bytes(range(100)))
    made, _, _ = upload(sizes=())
    words = {"CopySourceRange": wish} if wish else {}
    got = s3.upload_part_copy(Bucket=B, Key="parts", UploadId=made, PartNumber=1, CopySource={"Bucket": B, "Key": "from"}, **words)
    complete(made, [{"PartNumber": 1, "ETag": got["CopyPartResult"]["ETag"]}])
    eq(s3.head_object(Bucket=B, Key="parts")["ContentLength"], size)


@cases("parts", [("0-2", "InvalidArgument"), ("bytes=0", "InvalidArgument"), ("bytes=hello-world", "InvalidArgument"), ("bytes=0-bar", "InvalidArgument"), ("bytes=0-1000", "InvalidRange")])
def copied_by_ranges_that_are_none(wish, code):
    put("from", body=b"x" * 100)
    made, _, _ = upload(sizes=())
    try:
        s3.upload_part_copy(Bucket=B, Key="parts", UploadId=made, PartNumber=1, CopySource={"Bucket": B, "Key": "from"}, CopySourceRange=wish)
    except ClientError as error:
        assert error.response["Error"]["Code"] in (code, "InvalidArgument"), error
        return
    raise AssertionError("it was taken")


# Tags

@cases("tags", [
    [], [("a", "1")], [("a", "1"), ("b", "2")], [(str(number), "v") for number in range(10)], [("k" * 128, "v" * 256)], [("ä", "ö")], [("a b", "c d")],
])
def come_back(pairs):
    tags = [{"Key": key, "Value": value} for key, value in pairs]
    put("a")
    s3.put_object_tagging(Bucket=B, Key="a", Tagging={"TagSet": tags})
    eq(sorted(s3.get_object_tagging(Bucket=B, Key="a")["TagSet"], key=str), sorted(tags, key=str))
    eq(s3.head_object(Bucket=B, Key="a").get("TagCount") or s3.get_object(Bucket=B, Key="a").get("TagCount", 0), len(tags))
    s3.delete_object_tagging(Bucket=B, Key="a")
    eq(s3.get_object_tagging(Bucket=B, Key="a")["TagSet"], [])



@cases("tags", [
    ("eleven", [(str(number), "v") for number in range(11)]), ("key", [("k" * 129, "v")]), ("value", [("k", "v" * 257)]), ("twice", [("k", "1"), ("k", "2")]),
])
def that_may_not_be(_, pairs):
    put("a")
    tags = [{"Key": key, "Value": value} for key, value in pairs]
    try:
        s3.put_object_tagging(Bucket=B, Key="a", Tagging={"TagSet": tags})
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("InvalidTag", "BadRequest"), error
        return
    raise AssertionError("they were taken")


@case("tags")
def with_a_put():
    put("a", Tagging="foo=bar&bar")
    eq(sorted((one["Key"], one["Value"]) for one in s3.get_object_tagging(Bucket=B, Key="a")["TagSet"]), [("bar", ""), ("foo", "bar")])


@case("tags")
def of_the_bucket():
    refused(404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=B)
    tags = [{"Key": "Hello", "Value": "World"}]
    s3.put_bucket_tagging(Bucket=B, Tagging={"TagSet": tags})
    eq(s3.get_bucket_tagging(Bucket=B)["TagSet"], tags)
    s3.delete_bucket_tagging(Bucket=B)
    refused(404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=B)


# Versions

def versions(key, **words):
    found = vs.list_object_versions(Bucket=V, Prefix=key, **words)
    return found.get("Versions", []), found.get("DeleteMarkers", [])


@case("versions")
def each_put_makes_one():
    ids = [vs.put_object(Bucket=V, Key="a", Body=bytes([n]))["VersionId"] for n in range(3)]
    eq(len(set(ids)), 3)
    eq([one["VersionId"] for one in versions("a")[0]], ids[::-1])
    eq([one["IsLatest"] for one in versions("a")[0]], [True, False, False])
    for number, version in enumerate(ids):
        eq(body(vs, "a", V, VersionId=version), bytes([number]))
    eq(body(vs, "a", V), b"\2")


@case("versions")
def a_delete_makes_a_marker():
    vs.put_object(Bucket=V, Key="a", Body=b"1")
    gone = vs.delete_object(Bucket=V, Key="a")
    eq(gone["DeleteMarker"], True)
    answer = refused(404, "NoSuchKey", vs.get_object, Bucket=V, Key="a")
    eq(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-delete-marker"), "true")
    refused(405, "MethodNotAllowed", vs.get_object, Bucket=V, Key="a", VersionId=gone["VersionId"])
    eq(len(versions("a")[1]), 1)
    vs.delete_object(Bucket=V, Key="a", VersionId=gone["VersionId"])
    eq(body(vs, "a", V), b"1")


@case("versions")
def a_version_is_deleted_for_ever():
    one = vs.put_object(Bucket=V, Key="a", Body=b"1")["VersionId"]
    two = vs.put_object(Bucket=V, Key="a", Body=b"2")["VersionId"]
    eq(vs.delete_object(Bucket=V, Key="a", VersionId=two)["VersionId"], two)
    eq(body(vs, "a", V), b"1")
    refused(404, "NoSuchVersion", vs.get_object, Bucket=V, Key="a", VersionId=two)
    vs.delete_object(Bucket=V, Key="a", VersionId=one)
    eq(versions("a"), ([], []))


@case("versions")
def suspended_the_null_version_is_replaced():
    kept = vs.put_object(Bucket=V, Key="a", Body=b"kept")["VersionId"]
    vs.put_bucket_versioning(Bucket=V, VersioningConfiguration={"Status": "Suspended"})
    eq(vs.get_bucket_versioning(Bucket=V)["Status"], "Suspended")
    for data in (b"1", b"2"):
        vs.put_object(Bucket=V, Key="a", Body=data)
    eq([one["VersionId"] for one in versions("a")[0]], ["null", kept])
    eq(body(vs, "a", V, VersionId="null"), b"2")
    vs.delete_object(Bucket=V, Key="a")
    eq([one["VersionId"] for one in versions("a")[1]], ["null"])
    eq(body(vs, "a", V, VersionId=kept), b"kept")


@case("versions")
def lists_in_pages():
    for key in ("a", "b", "c"):
        for _ in range(3):
            vs.put_object(Bucket=V, Key=key, Body=b"")
    every = [(one["Key"], one["VersionId"]) for one in versions("")[0]]
    seen, more = [], {}
    while True:
        found = vs.list_object_versions(Bucket=V, MaxKeys=2, **more)
        seen += [(one["Key"], one["VersionId"]) for one in found.get("Versions", [])]
        if not found["IsTruncated"]:
            break
        more = {"KeyMarker": found["NextKeyMarker"], "VersionIdMarker": found["NextVersionIdMarker"]}
    eq(seen, every)


@case("versions")
def many_are_deleted_by_name():
    ids = [vs.put_object(Bucket=V, Key="a", Body=b"")["VersionId"] for _ in range(3)]
    rows = [{"Key": "a", "VersionId": version} for version in ids[:2]] + [{"Key": "b"}]
    found = vs.delete_objects(Bucket=V, Delete={"Objects": rows})
    eq(len(found["Deleted"]), 3)
    eq([one.get("DeleteMarker", False) for one in sorted(found["Deleted"], key=str)].count(True), 1)
    eq([one["VersionId"] for one in versions("a")[0]], ids[2:])


@case("versions")
def of_parts():
    made, parts, _ = upload(sizes=(10,), c=vs, bucket=V)
    got = vs.complete_multipart_upload(Bucket=V, Key="parts", UploadId=made, MultipartUpload={"Parts": parts})
    eq(vs.head_object(Bucket=V, Key="parts")["VersionId"], got["VersionId"])


@case("versions")
def tags_are_of_each():
    one = vs.put_object(Bucket=V, Key="a", Body=b"1", Tagging="v=1")["VersionId"]
    vs.put_object(Bucket=V, Key="a", Body=b"2", Tagging="v=2")
    eq(vs.get_object_tagging(Bucket=V, Key="a", VersionId=one)["TagSet"], [{"Key": "v", "Value": "1"}])
    vs.put_object_tagging(Bucket=V, Key="a", VersionId=one, Tagging={"TagSet": []})
    eq(vs.get_object_tagging(Bucket=V, Key="a")["TagSet"], [{"Key": "v", "Value": "2"}])


@case("versions")
def of_a_bucket_that_never_had_any():
    assert "Status" not in s3.get_bucket_versioning(Bucket=B)
    assert "VersionId" not in put("a")
    eq([one["VersionId"] for one in s3.list_object_versions(Bucket=B)["Versions"]], ["null"])
    eq(body(s3, "a", VersionId="null"), b"a")


@cases("versions", ["Bad", ""])
def a_status_that_is_none(word):
    refused(400, "MalformedXML", s3.put_bucket_versioning, Bucket=B, VersioningConfiguration={"Status": word})


# Lists of access

READ = ("get_object", "head_object")


@cases("acl", [
    ("private", "anyone", False), ("private", "alt", False), ("public-read", "anyone", True), ("public-read", "alt", True),
    ("public-read-write", "anyone", True), ("authenticated-read", "anyone", False), ("authenticated-read", "alt", True),
    ("bucket-owner-read", "anyone", False), ("bucket-owner-full-control", "anyone", False),
])
def of_an_object(acl, who, may):
    put("a", ACL=acl)
    c = {"anyone": anyone, "alt": alt}[who]
    if may:
        eq(body(c, "a"), b"a")
        c.head_object(Bucket=B, Key="a")
    else:
        refused(403, "AccessDenied", c.get_object, Bucket=B, Key="a")
    refused(403, "AccessDenied", c.put_object, Bucket=B, Key="a", Body=b"x")
    refused(403, "AccessDenied", c.list_objects_v2, Bucket=B)


@cases("acl", [
    ("private", "anyone", False, False), ("public-read", "anyone", True, False), ("public-read", "alt", True, False),
    ("public-read-write", "anyone", True, True), ("authenticated-read", "anyone", False, False), ("authenticated-read", "alt", True, False),
    ("public-read-write", "alt", True, True),
])
def of_a_bucket(acl, who, lists, writes):
    s3.put_bucket_acl(Bucket=B, ACL=acl)
    put("private one")
    c = {"anyone": anyone, "alt": alt}[who]
    if lists:
        eq(names(c.list_objects_v2(Bucket=B))[0], ["private one"])
        c.head_bucket(Bucket=B)
    else:
        refused(403, "AccessDenied", c.list_objects_v2, Bucket=B)
        refused(403, "403", c.head_bucket, Bucket=B)
    if writes:
        c.put_object(Bucket=B, Key="theirs", Body=b"x")
        c.delete_object(Bucket=B, Key="theirs")
    else:
        refused(403, "AccessDenied", c.put_object, Bucket=B, Key="theirs", Body=b"x")
    refused(403, "AccessDenied", c.get_object, Bucket=B, Key="private one")
    refused(403, "AccessDenied", c.get_bucket_acl, Bucket=B)


def grants(answer):
    return sorted((one["Grantee"].get("URI", one["Grantee"].get("ID")).rsplit("/", 1)[-1], one["Permission"]) for one in answer["Grants"])


@cases("acl", [
    ("private", []), ("public-read", [("AllUsers", "READ")]), ("public-read-write", [("AllUsers", "READ"), ("AllUsers", "WRITE")]),
    ("authenticated-read", [("AuthenticatedUsers", "READ")]),
])
def what_holds_is_told(acl, others):
    put("a")
    s3.put_object_acl(Bucket=B, Key="a", ACL=acl)
    s3.put_bucket_acl(Bucket=B, ACL=acl)
    for got in (s3.get_object_acl(Bucket=B, Key="a"), s3.get_bucket_acl(Bucket=B)):
        owner = got["Owner"]["ID"]
        eq(grants(got), sorted([(owner, "FULL_CONTROL"), *others]))
    listed = s3.get_bucket_acl(Bucket=B)
    s3.put_object_acl(Bucket=B, Key="a", ACL="private")
    s3.put_object_acl(Bucket=B, Key="a", AccessControlPolicy={"Grants": listed["Grants"], "Owner": listed["Owner"]})
    eq(grants(s3.get_object_acl(Bucket=B, Key="a")), grants(listed))


@case("acl")
def a_new_put_is_private_again():
    put("a", ACL="public-read")
    put("a")
    refused(403, "AccessDenied", anyone.get_object, Bucket=B, Key="a")


@case("acl")
def a_copy_is_private_unless_said():
    put("a", ACL="public-read")
    s3.copy_object(Bucket=B, Key="b", CopySource={"Bucket": B, "Key": "a"})
    s3.copy_object(Bucket=B, Key="c", CopySource={"Bucket": B, "Key": "a"}, ACL="public-read")
    refused(403, "AccessDenied", anyone.get_object, Bucket=B, Key="b")
    eq(body(anyone, "c"), b"a")


@case("acl")
def parts_say_it_at_the_beginning():
    made, parts, _ = upload(sizes=(10,), ACL="public-read")
    complete(made, parts)
    eq(len(body(anyone, "parts")), 10)


@case("acl")
def words_that_are_none():
    refused(400, "InvalidArgument", s3.put_object, Bucket=B, Key="a", Body=b"", ACL="aws-exec-read")
    refused(501, "NotImplemented", s3.put_object, Bucket=B, Key="a", Body=b"", GrantRead="id=somebody")
    refused(501, "NotImplemented", s3.put_bucket_acl, Bucket=B, GrantRead="id=somebody")


@case("acl")
def who_writes_anonymously_copies_nothing_private():
    s3.put_bucket_acl(Bucket=B, ACL="public-read-write")
    put("secret")
    refused(403, "AccessDenied", anyone.copy_object, Bucket=B, Key="mine", CopySource={"Bucket": B, "Key": "secret"})


# Policies

def policy(*statements, bucket=B):
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def statement(effect="Allow", principal="*", action="s3:GetObject", resource="/*", **condition):
    at = [f"arn:aws:s3:::{B}{one}" for one in ([resource] if isinstance(resource, str) else resource)]
    found = {"Effect": effect, "Principal": principal, "Action": action, "Resource": at}
    if condition:
        found["Condition"] = condition["condition"]
    return found


@case("policy")
def comes_back_as_it_was_put():
    refused(404, "NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=B)
    policy(statement())
    eq(json.loads(s3.get_bucket_policy(Bucket=B)["Policy"])["Statement"][0]["Action"], "s3:GetObject")
    s3.delete_bucket_policy(Bucket=B)
    refused(404, "NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=B)


@cases("policy", [("anyone", "*"), ("alt", "*"), ("alt", {"AWS": "ALT"}), ("alt", {"AWS": "arn:aws:iam:::user/ALT"}), ("anyone", {"AWS": "*"})])
def lets_in(who, principal):
    put("a")
    text = json.dumps(principal).replace("ALT", env("ALT")[0])
    policy(statement(principal=json.loads(text)))
    c = {"anyone": anyone, "alt": alt}[who]
    eq(body(c, "a"), b"a")
    refused(403, "AccessDenied", c.put_object, Bucket=B, Key="a", Body=b"x")


@case("policy")
def only_whom_it_names():
    put("a")
    policy(statement(principal={"AWS": "SOMEBODYELSE"}))
    for c in (anyone, alt):
        refused(403, "AccessDenied", c.get_object, Bucket=B, Key="a")


@cases("policy", [
    ("s3:ListBucket", "", "list_objects_v2", {}), ("s3:ListBucket", "", "list_objects", {}), ("s3:ListBucket", "", "head_bucket", {}),
    ("s3:PutObject", "/*", "put_object", {"Key": "n", "Body": b"x"}), ("s3:DeleteObject", "/*", "delete_object", {"Key": "a"}),
    ("s3:GetObjectTagging", "/*", "get_object_tagging", {"Key": "a"}), ("s3:GetObjectAcl", "/*", "get_object_acl", {"Key": "a"}),
    ("s3:GetBucketAcl", "", "get_bucket_acl", {}), ("s3:GetBucketLocation", "", "get_bucket_location", {}),
    ("s3:GetBucketVersioning", "", "get_bucket_versioning", {}), ("s3:GetBucketPolicy", "", "get_bucket_policy", {}),
    ("s3:ListBucketVersions", "", "list_object_versions", {}), ("s3:ListBucketMultipartUploads", "", "list_multipart_uploads", {}),
    ("s3:PutObject", "/*", "create_multipart_upload", {"Key": "n"}), ("s3:GetObject*", "/*", "get_object", {"Key": "a"}),
    ("s3:*", "/*", "get_object", {"Key": "a"}), ("*", "/*", "head_object", {"Key": "a"}), ("s3:GetObject", "/a", "get_object", {"Key": "a"}),
    ("s3:GetObject", "/?", "get_object", {"Key": "a"}), ("s3:GetObjectAttributes", "/*", "get_object_attributes", {"Key": "a", "ObjectAttributes": ["ETag"]}),
])
def of_each_action(action, resource, call, words):
    put("a")
    refused(403, "403" if call.startswith("head") else "AccessDenied", getattr(anyone, call), Bucket=B, **words)
    policy(statement(action=action, resource=resource))
    getattr(anyone, call)(Bucket=B, **words)
    policy(statement(action=action, resource=resource), statement("Deny", action=action, resource=resource))
    refused(403, "403" if call.startswith("head") else "AccessDenied", getattr(anyone, call), Bucket=B, **words)


@cases("policy", ["/b*", "/ab", "", "/a/*"])
def not_of_other_resources(resource):
    put("a")
    policy(statement(resource=resource))
    refused(403, "AccessDenied", anyone.get_object, Bucket=B, Key="a")


@case("policy")
def a_deny_holds_for_keys_too():
    put("a")
    policy(statement("Deny", resource="/a"))
    for c in (s3, reader):
        refused(403, "AccessDenied", c.get_object, Bucket=B, Key="a")
    s3.delete_bucket_policy(Bucket=B)
    eq(body(reader, "a"), b"a")


@case("policy")
def an_admin_cannot_lock_himself_out():
    policy(statement("Deny", action="s3:*", resource=["", "/*"]))
    refused(403, "AccessDenied", s3.list_objects_v2, Bucket=B)
    s3.get_bucket_policy(Bucket=B)
    s3.delete_bucket_policy(Bucket=B)
    s3.list_objects_v2(Bucket=B)


@case("policy")
def a_reader_may_write_where_it_says_so():
    policy(statement(principal={"AWS": env("READER")[0]}, action="s3:PutObject", resource="/drop/*"))
    reader.put_object(Bucket=B, Key="drop/a", Body=b"x")
    refused(403, "AccessDenied", reader.put_object, Bucket=B, Key="else", Body=b"x")


@cases("policy", [
    ({"StringEquals": {"s3:prefix": "pub/"}}, {"Prefix": "pub/"}, True), ({"StringEquals": {"s3:prefix": "pub/"}}, {"Prefix": "x"}, False),
    ({"StringEquals": {"s3:prefix": "pub/"}}, {}, False), ({"StringNotEquals": {"s3:prefix": "x"}}, {"Prefix": "x"}, False),
    ({"StringLike": {"s3:prefix": "pub/*"}}, {"Prefix": "pub/a"}, True), ({"StringEquals": {"s3:delimiter": "/"}}, {"Delimiter": "/"}, True),
    ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"MaxKeys": 10}, True), ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"MaxKeys": 11}, False),
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True), ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}, False),
    ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}, {}, False), ({"Bool": {"aws:SecureTransport": "true"}}, {}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, {}, False), ({"StringLike": {"aws:UserAgent": "*oto*"}}, {}, True),
])
def under_these_conditions(condition, words, may):
    policy(statement(action="s3:ListBucket", resource="", condition=condition))
    if may:
        anyone.list_objects_v2(Bucket=B, **words)
    else:
        refused(403, "AccessDenied", anyone.list_objects_v2, Bucket=B, **words)


@case("policy")
def by_tags_of_objects():
    put("open", Tagging="security=public")
    put("shut", Tagging="security=private")
    policy(statement(condition={"StringEquals": {"s3:ExistingObjectTag/security": "public"}}))
    eq(body(anyone, "open"), b"open")
    refused(403, "AccessDenied", anyone.get_object, Bucket=B, Key="shut")


@case("policy")
def by_tags_of_requests():
    policy(statement(action="s3:PutObject", condition={"StringEquals": {"s3:RequestObjectTag/security": "public"}}))
    anyone.put_object(Bucket=B, Key="a", Body=b"", Tagging="security=public")
    refused(403, "AccessDenied", anyone.put_object, Bucket=B, Key="b", Body=b"")


@case("policy")
def by_the_acl_of_a_put():
    policy(statement("Deny", action="s3:PutObject", condition={"StringEquals": {"s3:x-amz-acl": "public-read"}}))
    refused(403, "AccessDenied", s3.put_object, Bucket=B, Key="a", Body=b"", ACL="public-read")
    put("a", ACL="private")


@cases("policy", [
    "no json", '{"Statement": []}', '{"Version": "1999", "Statement": [{}]}',
    '{"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "*", "Resource": "*"}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::another/*"}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "x"}}}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:nothing": "x"}}}]}',
    '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
])
def that_is_none(text):
    refused(400, "MalformedPolicy", s3.put_bucket_policy, Bucket=B, Policy=text)


@cases("policy", [("Allow", "*", True), ("Deny", "*", False), ("Allow", {"AWS": "SOMEBODY"}, False)])
def status_says_whether_it_is_public(effect, principal, public):
    policy(statement(effect, principal))
    eq(s3.get_bucket_policy_status(Bucket=B)["PolicyStatus"]["IsPublic"], public)


@case("policy")
def only_admins_put_it():
    for c in (reader, alt, anyone):
        refused(403, "AccessDenied", c.put_bucket_policy, Bucket=B, Policy="{}")


# Who may what

@cases("keys", [
    ("get_object", {"Key": "a"}, True), ("head_object", {"Key": "a"}, True), ("list_objects_v2", {}, True), ("get_bucket_location", {}, True),
    ("get_object_tagging", {"Key": "a"}, True), ("put_object", {"Key": "a", "Body": b""}, False), ("delete_object", {"Key": "a"}, False),
    ("put_object_tagging", {"Key": "a", "Tagging": {"TagSet": []}}, False), ("create_multipart_upload", {"Key": "b"}, False),
    ("put_object_acl", {"Key": "a", "ACL": "private"}, False), ("put_bucket_acl", {"ACL": "private"}, False),
    ("copy_object", {"Key": "b", "CopySource": {"Bucket": B, "Key": "a"}}, False),
    ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}, False), ("delete_bucket_policy", {}, False),
    ("delete_bucket_cors", {}, False), ("delete_bucket_tagging", {}, False),
])
def of_a_reader(call, words, may):
    put("a")
    if may:
        getattr(reader, call)(Bucket=B, **words)
    else:
        refused(403, "AccessDenied", getattr(reader, call), Bucket=B, **words)


@cases("keys", ["get_object", "list_objects_v2", "put_object", "delete_object"])
def of_another_bucket(call):
    put("a")
    words = {"get_object": {"Key": "a"}, "put_object": {"Key": "a", "Body": b""}, "delete_object": {"Key": "a"}}.get(call, {})
    refused(403, "AccessDenied", getattr(alt, call), Bucket=B, **words)


@case("keys")
def that_are_none():
    wrong = client(env("ADMIN")[0], "wrong-secret")
    refused(403, "SignatureDoesNotMatch", wrong.list_objects_v2, Bucket=B)
    nobody = client("NOBODYHASTHISKEY", "x" * 20)
    refused(403, "InvalidAccessKeyId", nobody.list_objects_v2, Bucket=B)


@case("keys")
def list_their_bucket():
    eq([one["Name"] for one in s3.list_buckets()["Buckets"]], [B])
    refused(403, "AccessDenied", anyone.list_buckets)


@case("keys")
def make_no_buckets():
    refused(409, "BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=B)
    refused(409, "BucketAlreadyExists", s3.create_bucket, Bucket=ALT)
    refused(403, "AccessDenied", s3.create_bucket, Bucket="a-new-one")


# Requests without boto3

@cases("raw", [("GET", 403), ("HEAD", 403), ("PUT", 403), ("DELETE", 403)])
def of_nobody(method, status):
    put("a")
    eq(raw(method, "/a", data=b"x" if method == "PUT" else None)[0], status)


@case("raw")
def of_nobody_for_what_is_public():
    put("a", ACL="public-read", ContentType="text/x")
    status, data, headers = raw("GET", "/a")
    eq((status, data, headers["Content-Type"]), (200, b"a", "text/x"))


@cases("raw", ["get_object", "head_object", "delete_object"])
def presigned(call):
    put("a")
    url = s3.generate_presigned_url(call, Params={"Bucket": B, "Key": "a"}, ExpiresIn=60)
    method = {"get_object": "GET", "head_object": "HEAD", "delete_object": "DELETE"}[call]
    assert raw(method, url)[0] in (200, 204)
    other = {"GET": "DELETE", "HEAD": "PUT", "DELETE": "GET"}[method]
    eq(raw(other, url, data=b"" if other == "PUT" else None)[0], 403)


@case("raw")
def presigned_put():
    url = s3.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "ä b"}, ExpiresIn=60)
    eq(raw("PUT", url, data=b"put")[0], 200)
    eq(body(s3, "ä b"), b"put")


@case("raw")
def presigned_and_over():
    put("a")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "a"}, ExpiresIn=1)
    time.sleep(2.5)
    eq(raw("GET", url)[0], 403)


@case("raw")
def presigned_and_changed():
    put("a", "b")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "a"}, ExpiresIn=60)
    eq(raw("GET", url.replace("/a?", "/b?"))[0], 403)


@cases("raw", [("x-amz-date", ""), ("authorization", "AWS4-HMAC-SHA256 nonsense"), ("authorization", "AWS bad:sig")])
def headers_that_are_none(name, value):
    status, _, _ = raw("GET", "/a", headers={name: value})
    assert status in (400, 403), status


# CORS

RULE = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*.example.com"], "AllowedHeaders": ["x-amz-*"], "ExposeHeaders": ["ETag"]}


@case("cors")
def rules_come_back():
    s3.delete_bucket_cors(Bucket=B)
    refused(404, "NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=B)
    s3.put_bucket_cors(Bucket=B, CORSConfiguration={"CORSRules": [RULE]})
    eq(s3.get_bucket_cors(Bucket=B)["CORSRules"], [RULE])


@cases("cors", [
    ("http://foo.example.com", "GET", "", True), ("http://foo.example.org", "GET", "", False), ("http://foo.example.com", "DELETE", "", False),
    ("http://foo.example.com", "PUT", "x-amz-meta-a", True), ("http://foo.example.com", "PUT", "content-type", False),
])
def browsers_ask(origin, method, headers, may):
    s3.put_bucket_cors(Bucket=B, CORSConfiguration={"CORSRules": [RULE]})
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    status, _, got = raw("OPTIONS", "/a", headers=asked)
    eq((status == 200, got.get("Access-Control-Allow-Origin") is not None), (may, may))


# Lifecycle

@cases("lifecycle", [
    {"Expiration": {"Days": 1}}, {"Expiration": {"Date": "2037-01-01T00:00:00Z"}}, {"NoncurrentVersionExpiration": {"NoncurrentDays": 2}},
    {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}, {"Expiration": {"ExpiredObjectDeleteMarker": True}},
])
def rules_that_may_be(rule):
    given = {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "x/"}, **rule}
    s3.put_bucket_lifecycle_configuration(Bucket=B, LifecycleConfiguration={"Rules": [given]})
    got = s3.get_bucket_lifecycle_configuration(Bucket=B)["Rules"]
    eq((got[0]["ID"], got[0]["Status"], list(rule)[0] in got[0]), ("one", "Enabled", True))
    s3.delete_bucket_lifecycle(Bucket=B)
    refused(404, "NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=B)


@cases("lifecycle", [
    ({"Expiration": {"Days": 0}}, "InvalidArgument"), ({"Status": "enabled", "Expiration": {"Days": 1}}, "MalformedXML"), ({}, "MalformedXML"),
])
def rules_that_may_not_be(rule, code):
    given = {"Status": "Enabled", "Filter": {"Prefix": "x/"}, **rule}
    refused(400, code, s3.put_bucket_lifecycle_configuration, Bucket=B, LifecycleConfiguration={"Rules": [given]})


# What there is not

@cases("absent", [
    ("get_bucket_encryption", {}, 404, "ServerSideEncryptionConfigurationNotFoundError"), ("get_bucket_website", {}, 404, "NoSuchWebsiteConfiguration"),
    ("get_bucket_replication", {}, 404, "ReplicationConfigurationNotFoundError"), ("get_bucket_ownership_controls", {}, 404, "OwnershipControlsNotFoundError"),
    ("get_public_access_block", {}, 404, "NoSuchPublicAccessBlockConfiguration"), ("get_object_lock_configuration", {}, 404, "ObjectLockConfigurationNotFoundError"),
    ("put_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}, 409, "InvalidBucketState"),
    ("get_object_retention", {"Key": "a"}, 400, "InvalidRequest"), ("get_object_legal_hold", {"Key": "a"}, 400, "InvalidRequest"),
    ("put_object_legal_hold", {"Key": "a", "LegalHold": {"Status": "ON"}}, 400, "InvalidRequest"),
    ("put_object_retention", {"Key": "a", "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": "2037-01-01T00:00:00Z"}}, 400, "InvalidRequest"),
    ("put_object", {"Key": "a", "Body": b"", "ServerSideEncryption": "AES256"}, 501, "NotImplemented"),
    ("put_object", {"Key": "a", "Body": b"", "ObjectLockLegalHoldStatus": "ON"}, 400, "InvalidRequest"),
    ("create_multipart_upload", {"Key": "a", "ServerSideEncryption": "aws:kms"}, 501, "NotImplemented"),
    ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "i"}}}, 501, "NotImplemented"),
    ("get_object_torrent", {"Key": "a"}, 501, "NotImplemented"),
])
def is_told_by_its_name(call, words, status, code):
    put("a")
    refused(status, code, getattr(s3, call), Bucket=B, **words)


@cases("absent", ["get_bucket_notification_configuration", "get_bucket_logging", "get_bucket_accelerate_configuration"])
def is_empty(call):
    got = getattr(s3, call)(Bucket=B)
    eq(set(got) - {"ResponseMetadata"}, set())


@case("absent")
def the_owner_pays():
    eq(s3.get_bucket_request_payment(Bucket=B)["Payer"], "BucketOwner")


@case("absent")
def an_empty_location_is_the_usual_one():
    assert s3.get_bucket_location(Bucket=B)["LocationConstraint"] in (None, "")


# What is known of an object

@cases("attributes", [["ETag"], ["ObjectSize"], ["StorageClass"], ["ETag", "ObjectSize", "StorageClass"]])
def as_much_as_is_asked(wanted):
    put("a", body=b"12345")
    got = s3.get_object_attributes(Bucket=B, Key="a", ObjectAttributes=wanted)
    known = {"ETag": hashlib.md5(b"12345").hexdigest(), "ObjectSize": 5, "StorageClass": "STANDARD"}
    eq({key: got[key].strip('"') if key == "ETag" else got[key] for key in known if key in got}, {key: known[key] for key in wanted})



@case("attributes")
def parts_of_parts():
    made, parts, _ = upload()
    complete(made, parts)
    got = s3.get_object_attributes(Bucket=B, Key="parts", ObjectAttributes=["ObjectParts"], MaxParts=2)["ObjectParts"]
    eq((got["TotalPartsCount"], got["IsTruncated"], [one["Size"] for one in got["Parts"]]), (3, True, [PART, PART]))


# At once

@case("atomic")
def a_reader_sees_one_or_the_other():
    one, two = b"a" * 300_000, b"b" * 300_000
    put("a", body=one)
    stop, wrong = threading.Event(), []

    def read():
        c = client(*env("ADMIN"))
        while not stop.is_set():
            if c.get_object(Bucket=B, Key="a")["Body"].read() not in (one, two):
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(10):
        put("a", body=two if number % 2 else one)
    stop.set()
    for thread in threads:
        thread.join()
    eq(wrong, [])


@case("atomic")
def only_one_is_the_first():
    won = []

    def write(number):
        try:
            client(*env("ADMIN")).put_object(Bucket=B, Key="a", Body=bytes([number]), IfNoneMatch="*")
            won.append(number)
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eq(len(won), 1)
    eq(body(s3, "a"), bytes(won))


@case("atomic")
def what_breaks_off_is_not_there():
    put("a", body=b"old")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "a"}, ExpiresIn=60)
    try:
        raw("PUT", url, data=(b"x" * 10 for _ in range(3)), headers={"Content-Length": "1000"})
    except Exception:
        pass
    eq(body(s3, "a"), b"old")


def main():
    failed, groups = [], {}
    for group, name, function, row in CASES:
        good, every = groups.get(group, (0, 0))
        try:
            reset()
            function(*row)
            groups[group] = (good + 1, every + 1)
        except Exception as error:
            groups[group] = (good, every + 1)
            failed.append(f"{group}: {name}")
            words = str(error) or traceback.format_exc(limit=2)
            print(f"FAILED {group}: {name}: {words[:300]}", flush=True)
    for group, (good, every) in groups.items():
        print(f"{group}: {good} of {every}")
    print(f"cases of S3: {len(CASES) - len(failed)} of {len(CASES)}")


main()
