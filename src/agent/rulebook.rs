//! The rules that every answer is judged by: how bad breaking one is, why, and how that is known.
//!
//! *Observed* means: seen in the traffic of an unmodified Windows 11 agent with the WSUS of Windows
//! Server 2025. The answers of that server break no rule of severity error.

use super::severity::Severity;

/// A rule for answers.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Stable name.
    pub(crate) id: &'static str,
    /// How bad it is to break it.
    pub(crate) severity: Severity,
    /// What happens if it is broken.
    pub(crate) why: &'static str,
    /// Where it is written, or how it is known.
    pub(crate) section: &'static str,
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident $why:literal $section:literal;)*) => {
        $(pub(crate) const $name: Rule = Rule {
            id: $id,
            severity: Severity::$severity,
            why: $why,
            section: $section,
        };)*

        /// Every rule.
        #[cfg(test)]
        pub(crate) const ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    // HTTP
    HTTP_STATUS "http-status" Error "an agent takes only 200, or 500 with a SOAP fault" "[MS-WUSP] 2.1";
    REDIRECT "http-redirect" Error "agents do not follow redirects of SOAP calls or content" "observed";
    CHUNKED "http-chunked" Error "a WSUS always states the length; agents have dropped answers without" "observed";
    LENGTH_MISSING "http-length-missing" Error "a WSUS always states the length; agents have dropped answers without" "observed";
    CONTENT_TYPE "http-content-type" Error "the answer is not taken for SOAP 1.1" "[MS-WUSP] 2.1";
    CHARSET "http-charset" Warning "a WSUS says charset=utf-8" "observed";
    ENCODING_UNASKED "http-encoding" Error "the agent asked for xpress only and cannot read another encoding" "[MS-WUSP] 2.1";
    XPRESS_BROKEN "xpress-broken" Error "the agent cannot read the answer" "[MS-WUSP] 2.1.1";
    XPRESS_NOT_OFFERED "xpress-not-offered" Note "agents ask for it and take answers without; it saves about three quarters" "[MS-WUSP] 2.1";
    BODY_TOO_LARGE "body-too-large" Error "larger than anything a WSUS sends" "limit of this program";

    // SOAP
    XML_BROKEN "xml-broken" Error "the agent cannot parse the answer (0x8024400A)" "[MS-WUSP] 2.2";
    ENVELOPE "soap-envelope" Error "not a SOAP 1.1 envelope with one element in its body" "[MS-WUSP] 2.2";
    RESPONSE_NAME "soap-response-name" Error "the agent looks for the response element of its operation" "[MS-WUSP] 6";
    NAMESPACE "soap-namespace" Error "every element is in the namespace of its service" "[MS-WUSP] 6";
    ELEMENT_ORDER "element-order" Error "the schema is a sequence and is read in order" "[MS-WUSP] 6";
    ELEMENT_MISSING "element-missing" Error "the schema requires it" "[MS-WUSP] 6";
    ELEMENT_REPEATED "element-repeated" Error "the schema allows one" "[MS-WUSP] 6";
    ELEMENT_UNKNOWN "element-unknown" Warning "not in the schema; strict readers refuse it" "[MS-WUSP] 6";
    NIL_SENT "element-nil" Warning "a WSUS leaves out what has no value" "observed";
    VALUE_BAD "value-bad" Error "the text is not of the type of the element" "[MS-WUSP] 6";

    // Faults
    FAULT_STATUS "fault-status" Error "a fault comes with HTTP 500" "[MS-WUSP] 2.2.2.4";
    FAULT_NO_CODE "fault-no-code" Error "without an ErrorCode the agent cannot recover" "[MS-WUSP] 2.2.2.4";
    FAULT_CODE_UNKNOWN "fault-code-unknown" Error "the agent knows only the listed codes" "[MS-WUSP] 2.2.2.4";
    FAULT_QUALIFIED "fault-qualified" Error "the children of detail are in no namespace" "[MS-WUSP] 2.2.2.4";
    FAULT_ENDLESS "fault-endless" Error "the same fault comes again after the recovery that it asks for" "[MS-WUSP] 3.2.5";
    FAULT_UNEXPECTED "fault-unexpected" Error "the agent gives up and backs off for hours" "[MS-WUSP] 3.2.5";

    // Handshake
    CONFIG_PROPERTY "config-property-missing" Error "agents fail with 0x8024402A" "[MS-WUSP] 2.2.2.2.1";
    CONFIG_PROTOCOL "config-protocol-version" Warning "below 3.2 agents do not scan by category" "[MS-WUSP] 3.1.5.6";
    CONFIG_INVENTORY "config-inventory" Warning "must be 0" "[MS-WUSP] 2.2.2.2.1";
    CONFIG_AUTH "config-auth" Error "exactly one plug-in, SimpleTargeting, with a relative ServiceUrl" "[MS-WUSP] 3.1.5.2";
    LAST_CHANGE_MOVES "config-last-change-moves" Warning "every change makes every agent start over" "[MS-WUSP] 3.1.5.4";
    COOKIE_EMPTY "cookie-empty" Error "EncryptedData must be there and be base64" "[MS-WUSP] 2.2.3.5";
    COOKIE_PAST "cookie-expired-at-once" Error "the agent starts over at once" "[MS-WUSP] 2.2.3.5";
    NEW_COOKIE_MISSING "new-cookie-missing" Error "the agent needs the cookie of every page for the next" "[MS-WUSP] 2.2.2.2.4";
    EXPIRATION_CHANGED "cookie-expiration-changed" Warning "use does not extend a cookie; a WSUS keeps the time" "observed";
    CATEGORY_LOST "category-lost" Warning "a requested category is neither preferred nor in error" "[MS-WUSP] 3.1.5.6";

    // SyncUpdates
    ID_NOT_INT32 "id-not-int32" Error "revision and deployment ids are 32-bit integers that agents store" "[MS-WUSP] 3.1.1";
    ID_DUPLICATE "id-duplicate" Error "one id, one revision" "[MS-WUSP] 3.1.1";
    ID_REUSED "id-reused" Error "an id that the agent stores now means another revision" "[MS-WUSP] 3.1.1";
    SENT_AGAIN "revision-sent-again" Error "the agent said that it has it: scans do not end" "[MS-WUSP] 3.1.5.7";
    DEPLOYMENT_MISSING "deployment-missing" Error "the agent aborts with 0x80070057 right after parsing" "observed";
    DEPLOYMENT_SHORT "deployment-short" Warning "a WSUS sends AutoSelect, AutoDownload and SupersedenceBehavior to agents from 1.8 on" "[MS-WUSP] 2.2.2.2.4";
    ACTION_UNKNOWN "action-unknown" Error "not an action of the protocol" "[MS-WUSP] 2.2.2.2.4";
    ACTION_NOT_EVALUATE "action-not-evaluate" Warning "categories and detectoids are deployed to be evaluated" "[MS-WUSP] 3.1.5.7";
    ACTION_NOT_BUNDLE "action-not-bundle" Warning "a bundled update is deployed as part of its bundle only" "observed";
    DEADLINE "deadline-bad" Error "leave it out when there is none; 9999-12-31 is not a deadline" "[MS-WUSP] 2.2.2.2.4";
    CORE_MISSING "core-missing" Error "a new revision brings its Core fragment" "[MS-WUSP] 2.2.2.2.4";
    CORE_NOT_TEXT "fragment-not-text" Error "Xml is a string: fragments are escaped text, not elements" "[MS-WUSP] 2.2.2.2.4";
    CORE_BROKEN "core-broken" Error "the agent cannot parse the fragment and drops the update" "[MS-WUSP] 3.1.1.1";
    CORE_SHAPE "core-shape" Error "UpdateIdentity, Properties, Relationships, ApplicabilityRules, nothing else" "[MS-WUSP] 3.1.1.1";
    CORE_PREFIX "fragment-prefix" Error "only b., m. and d. before a name; the rest is not evaluated" "[MS-WUSP] 3.1.1.1";
    LEAF_IS_PREREQUISITE "leaf-is-prerequisite" Error "agents report only installed non-leaf revisions: what depends on it never arrives" "[MS-WUSP] 3.1.5.7";
    BUNDLED_NOT_LEAF "bundled-not-leaf" Warning "being bundled does not make a revision non-leaf" "observed";
    PREREQUISITE_OPEN "prerequisite-open" Warning "sent although no alternative of a clause was reported as installed" "[MS-WUSP] 3.1.5.7";
    TWO_REVISIONS "two-revisions" Warning "one revision per update; the older one is out of scope" "[MS-WUSP] 3.1.5.7";
    TRUNCATED_EMPTY "truncated-empty" Error "truncated without a new update: the agent asks for ever" "[MS-WUSP] 2.2.2.2.4";
    TOO_MANY_TRIPS "too-many-trips" Error "agents abort a scan after 200 calls (0x80244010)" "observed";
    TOO_MANY_INSTALLED "too-many-installed" Note "a WSUS refuses more than 400 InstalledNonLeafUpdateIDs" "observed";
    OUT_OF_SCOPE_UNKNOWN "out-of-scope-unknown" Warning "the agent did not say that it has it" "[MS-WUSP] 3.1.5.7";
    DRIVER_SYNC_MISSING "driver-sync-missing" Note "agents make a driver pass for nothing" "[MS-WUSP] 2.2.2.2.4";
    REFRESH_FOREIGN "refresh-foreign" Error "an identity that the agent did not ask for" "[MS-WUSP] 3.1.5.8";

    // Extended metadata
    EXTENDED_MISSING "extended-missing" Error "the update has no properties and is not offered" "[MS-WUSP] 3.1.5.9";
    EXTENDED_UNASKED "extended-unasked" Warning "the agent did not ask for this revision" "[MS-WUSP] 3.1.5.9";
    EXTENDED_BROKEN "extended-broken" Error "the agent cannot parse the fragment" "[MS-WUSP] 3.1.1.1";
    EXTENDED_SHAPE "extended-shape" Error "ExtendedProperties, Files, HandlerSpecificData, nothing else" "[MS-WUSP] 3.1.1.1";
    ATTRIBUTE_PREFIX "attribute-prefix" Error "attributes lose their prefix: xsi:type becomes type" "[MS-WUSP] 3.1.1.1";
    FRAGMENT_ORDER "fragment-order" Note "a WSUS sends all Extended first, then LocalizedProperties" "observed";
    TITLE_MISSING "title-missing" Warning "the update has no title for the user" "[MS-WUSP] 2.2.2.2.6";
    FILE_ATTRIBUTES "file-attributes" Error "Digest, DigestAlgorithm SHA1, FileName, Size and Modified are needed" "[MS-WUSP] 3.1.1.1";
    FILE_SHA256 "file-sha256-missing" Error "Windows 8 and later reject the download" "[MS-WUSP] 3.1.1.1";
    LOCATION_MISSING "location-missing" Error "an update without a location for its files is not downloaded" "[MS-WUSP] 2.2.2.2.6";
    LOCATION_BAD "location-bad" Error "a location is a 20-byte digest and an absolute http URL" "[MS-WUSP] 2.2.2.2.6";
    LOCATION_DUPLICATE "location-duplicate" Warning "one location per distinct file" "observed";
    LOCATION_HOST "location-host" Warning "the host differs from the one that the agent asked, and may not be reachable" "observed";
    LOCATION_PATH "location-path" Note "a WSUS uses /Content/<last two digits>/<SHA-1>.<extension>" "observed";

    // Content
    CONTENT_STATUS "content-status" Error "a closed range is answered with 206 (0x80244019 for 404)" "[MS-WUSP] 2.2.2.5";
    CONTENT_RANGE "content-range" Error "the piece is not the one asked for" "[MS-WUSP] 2.2.2.5";
    CONTENT_LENGTH "content-length" Error "Content-Length must be that of the range" "[MS-WUSP] 2.2.2.5";
    CONTENT_SHORT "content-short" Error "the body is not as long as stated" "[MS-WUSP] 2.2.2.5";
    CONTENT_ENCODED "content-encoded" Error "payload is never encoded: digests and ranges break" "[MS-WUSP] 2.2.2.5";
    CONTENT_TYPE_FILE "content-file-type" Note "a WSUS says application/octet-stream" "observed";
    ACCEPT_RANGES "accept-ranges-missing" Warning "the downloader looks for Accept-Ranges: bytes" "[MS-WUSP] 2.2.2.5";
    ETAG_MISSING "etag-missing" Warning "pieces from several connections are matched by it" "observed";
    ETAG_WEAK "etag-weak" Warning "a weak tag does not vouch for byte ranges" "observed";
    ETAG_CHANGES "etag-changes" Error "pieces of one file look like pieces of different ones" "observed";
    MODIFIED_CHANGES "last-modified-changes" Error "pieces of one file look like pieces of different ones" "observed";
    SIZE_WRONG "file-size-wrong" Error "the size comes from File/@Size, so it must be the real one" "observed";
    SHA1_WRONG "file-sha1-wrong" Error "the agent drops the file" "[MS-WUSP] 2.2.2.5";
    SHA256_WRONG "file-sha256-wrong" Error "the agent drops the file" "[MS-WUSP] 3.1.1.1";

    // Reporting
    REPORT_REFUSED "report-refused" Warning "the agent keeps the events and sends them again" "[MS-WUSP] 3.1.5.11";
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_unique() {
        let ids: std::collections::HashSet<_> =
            crate::agent::rulebook::ALL.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), crate::agent::rulebook::ALL.len());
    }
}
