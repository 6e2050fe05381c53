//! Which events of each service are sign-ins, and which of their fields tell who, from where and how it
//! ended, after the services' own documentation. Log types are named as Panther names them.
//!
//! A sign-in is a try to prove who one is: with a password, a second factor, an assertion of another
//! service, or a key that is exchanged for a session. Changes of passwords and factors, refreshed sessions,
//! what a policy thinks of a sign-in, and tokens that a cloud's own services take for themselves are none.

use tidewatch_core::signal::Outcome;

use End::{Always, By, Error};
use Outcome::{Failure, Success};

/// A service's events.
pub struct Service {
    /// Panther's name.
    pub log_type: &'static str,
    /// Its sign-ins; the first kind that fits counts.
    pub sign_ins: &'static [SignIn],
}

/// A kind of event that is a sign-in. Fields are paths of names.
pub struct SignIn {
    /// Fields that must all have one of these values.
    pub is: &'static [(&'static str, &'static [&'static str])],
    /// Fields none of which may have one of these values.
    pub is_not: &'static [(&'static str, &'static [&'static str])],
    /// How it ended.
    pub end: End,
    /// What may name whoever signed in.
    pub actor: &'static [&'static str],
    /// What may tell from where.
    pub source: &'static [&'static str],
}

/// How an event tells the end of a sign-in.
pub enum End {
    /// The event is named by it.
    Always(Outcome),
    /// This field is there where it failed, with one of AWS's codes.
    Error(&'static str),
    /// The first of these fields that is there.
    By {
        /// The fields.
        fields: &'static [&'static str],
        /// Values that mean success.
        successes: &'static [&'static str],
        /// Values that mean failure.
        failures: &'static [&'static str],
        /// Values that mean that it is not over.
        undecided: &'static [&'static str],
        /// What all others mean; none: that it is not told.
        otherwise: Option<Outcome>,
    },
}

/// An end that is told by a field with these values, and by no others.
const fn by(
    fields: &'static [&'static str],
    successes: &'static [&'static str],
    failures: &'static [&'static str],
) -> End {
    By { fields, successes, failures, undecided: &[], otherwise: None }
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html>
const CLOUDTRAIL: &[SignIn] = &[
    SignIn {
        is: &[
            ("eventSource", &["signin.amazonaws.com"]),
            ("eventName", &["ConsoleLogin", "CheckMfa"]),
        ],
        is_not: &[],
        end: by(
            &["responseElements.ConsoleLogin", "responseElements.CheckMfa"],
            &["Success"],
            &["Failure"],
        ),
        actor: AWS_ACTOR,
        source: &["sourceIPAddress"],
    },
    SignIn {
        is: &[
            ("eventSource", &["signin.amazonaws.com"]),
            ("eventName", &["CredentialVerification", "UserAuthentication"]),
        ],
        is_not: &[],
        end: by(
            &[
                "serviceEventDetails.CredentialVerification",
                "serviceEventDetails.UserAuthentication",
            ],
            &["Success"],
            &["Failure"],
        ),
        actor: AWS_ACTOR,
        source: &["sourceIPAddress"],
    },
    SignIn {
        is: &[
            ("eventSource", &["sts.amazonaws.com"]),
            (
                "eventName",
                &[
                    "AssumeRole",
                    "AssumeRoleWithSAML",
                    "AssumeRoleWithWebIdentity",
                    "AssumeRoot",
                    "GetSessionToken",
                    "GetFederationToken",
                ],
            ),
        ],
        is_not: &[("userIdentity.type", &["AWSService"])],
        end: Error("errorCode"),
        actor: AWS_ACTOR,
        source: &["sourceIPAddress"],
    },
    SignIn {
        is: &[
            ("eventSource", &["cognito-idp.amazonaws.com"]),
            (
                "eventName",
                &[
                    "InitiateAuth",
                    "AdminInitiateAuth",
                    "RespondToAuthChallenge",
                    "AdminRespondToAuthChallenge",
                ],
            ),
        ],
        is_not: &[],
        end: by(
            &["errorCode"],
            &[],
            &[
                "NotAuthorizedException",
                "UserNotFoundException",
                "PasswordResetRequiredException",
                "UserNotConfirmedException",
                "CodeMismatchException",
                "ExpiredCodeException",
            ],
        ),
        actor: &["additionalEventData.sub", "requestParameters.authParameters.USERNAME"],
        source: &["sourceIPAddress"],
    },
    SignIn {
        is: &[("eventSource", &["signin.amazonaws.com"]), ("eventName", &["GetSigninToken"])],
        is_not: &[],
        end: Error("errorCode"),
        actor: AWS_ACTOR,
        source: &["sourceIPAddress"],
    },
    SignIn {
        is: &[
            ("eventSource", &["sso.amazonaws.com"]),
            ("eventName", &["Authenticate", "Federate"]),
        ],
        is_not: &[],
        end: Error("errorCode"),
        actor: AWS_ACTOR,
        source: &["sourceIPAddress"],
    },
];

const AWS_ACTOR: &[&str] = &[
    "userIdentity.userName",
    "additionalEventData.UserName",
    "userIdentity.arn",
    "userIdentity.principalId",
    "userIdentity.onBehalfOf.userId",
    "userIdentity.accessKeyId",
];

/// <https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes>
const AUTH0: &[SignIn] = &[SignIn {
    is: &[(
        "data.type",
        &[
            "s",
            "ssa",
            "sepft",
            "scoa",
            "sens",
            "gd_auth_succeed",
            "f",
            "fp",
            "fu",
            "fc",
            "fsa",
            "fepft",
            "fcoa",
            "fens",
            "fepotpft",
            "fepoobft",
            "pwd_leak",
            "limit_wc",
            "gd_auth_failed",
            "gd_auth_rejected",
        ],
    )],
    is_not: &[],
    end: By {
        fields: &["data.type"],
        successes: &["s", "ssa", "sepft", "scoa", "sens", "gd_auth_succeed"],
        failures: &[],
        undecided: &[],
        otherwise: Some(Failure),
    },
    actor: &["data.user_name", "data.user_id"],
    source: &["data.ip"],
}];

/// <https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs>; the codes that only ask
/// for a further step are those of <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
const AZURE: &[SignIn] = &[SignIn {
    is: &[(
        "category",
        &[
            "SignInLogs",
            "NonInteractiveUserSignInLogs",
            "ServicePrincipalSignInLogs",
            "ManagedIdentitySignInLogs",
        ],
    )],
    is_not: &[],
    end: By {
        fields: &["properties.status.errorCode", "resultType"],
        successes: &["0", "Success"],
        failures: &[],
        undecided: &[
            "16000", "16001", "50058", "50072", "50074", "50076", "50079", "50125", "50127",
            "50129", "50140", "50144", "50158", "50199", "65001",
        ],
        otherwise: Some(Failure),
    },
    actor: &[
        "properties.userPrincipalName",
        "properties.userId",
        "properties.servicePrincipalName",
        "properties.servicePrincipalId",
        "identity",
    ],
    source: &["properties.ipAddress", "callerIpAddress"],
}];

/// <https://duo.com/docs/adminapi#authentication-logs>
const DUO_AUTHENTICATION: &[SignIn] = &[SignIn {
    is: &[("event_type", &["authentication"])],
    is_not: &[],
    end: by(&["result"], &["success"], &["denied", "failure", "fraud"]),
    actor: &["user.name", "user.key", "username", "email"],
    source: &["access_device.ip", "ip"],
}];

/// <https://duo.com/docs/adminapi#administrator-logs>
const DUO_ADMINISTRATOR: &[SignIn] = &[SignIn {
    is: &[("action", &["admin_login", "admin_login_error"])],
    is_not: &[],
    end: by(&["action"], &["admin_login"], &["admin_login_error"]),
    actor: &["username", "description.email"],
    source: &["description.ip_address"],
}];

/// <https://goteleport.com/docs/reference/deployment/monitoring/audit/>
const TELEPORT: &[SignIn] = &[SignIn {
    is: &[("event", &["user.login", "auth"])],
    is_not: &[],
    end: by(&["success"], &["true"], &["false"]),
    actor: &["user", "login"],
    source: &["addr.remote"],
}];

/// <https://developers.google.com/workspace/admin/reports/v1/appendix/activity/login>
const GOOGLE: &[SignIn] = &[
    SignIn {
        is: &[
            ("id.applicationName", &["login", "saml"]),
            ("name", &["login_success", "login_failure"]),
        ],
        is_not: &[],
        end: by(&["name"], &["login_success"], &["login_failure"]),
        actor: &["actor.email", "actor.profileId"],
        source: &["ipAddress"],
    },
    SignIn {
        is: &[
            ("id.applicationName", &["login", "saml"]),
            ("events.0.name", &["login_success", "login_failure"]),
        ],
        is_not: &[],
        end: by(&["events.0.name"], &["login_success"], &["login_failure"]),
        actor: &["actor.email", "actor.profileId"],
        source: &["ipAddress"],
    },
];

/// <https://developer.okta.com/docs/reference/api/event-types/>
const OKTA: &[SignIn] = &[SignIn {
    is: &[(
        "eventType",
        &[
            "user.session.start",
            "user.authentication.sso",
            "user.authentication.verify",
            "user.authentication.authenticate",
            "user.authentication.auth",
            "user.authentication.auth_via_mfa",
            "user.authentication.auth_via_social",
            "user.authentication.auth_via_IDP",
            "user.authentication.auth_via_inbound_SAML",
            "user.authentication.auth_via_inbound_delauth",
            "user.authentication.auth_via_iwa",
            "user.authentication.auth_via_radius",
            "user.authentication.auth_via_richclient",
            "user.authentication.auth_via_AD_agent",
            "user.authentication.auth_via_LDAP_agent",
        ],
    )],
    is_not: &[],
    end: by(&["outcome.result"], &["SUCCESS", "ALLOW"], &["FAILURE", "DENY"]),
    actor: &["actor.alternateId", "actor.displayName", "actor.id"],
    source: &["client.ipAddress"],
}];

/// <https://developers.onelogin.com/api-docs/1/events/event-resource>
const ONELOGIN: &[SignIn] = &[SignIn {
    is: &[(
        "event_type_id",
        &["5", "6", "8", "68", "69", "77", "78", "86", "122", "123", "129", "130", "140", "141"],
    )],
    is_not: &[],
    end: By {
        fields: &["event_type_id"],
        successes: &["5", "8", "68", "78", "122", "130", "140"],
        failures: &[],
        undecided: &[],
        otherwise: Some(Failure),
    },
    actor: &["user_name", "actor_user_name", "user_id", "actor_user_id"],
    source: &["ipaddr"],
}];

/// <https://developer.1password.com/docs/events-api/reference/#sign-in-attempt-events>
const ONEPASSWORD: &[SignIn] = &[SignIn {
    is: &[(
        "category",
        &[
            "success",
            "credentials_failed",
            "mfa_failed",
            "sso_failed",
            "modern_version_failed",
            "firewall_failed",
            "firewall_reported_success",
        ],
    )],
    is_not: &[],
    end: By {
        fields: &["category"],
        successes: &["success", "firewall_reported_success"],
        failures: &[],
        undecided: &[],
        otherwise: Some(Failure),
    },
    actor: &["target_user.email", "target_user.name", "target_user.uuid"],
    source: &["client.ip_address"],
}];

/// <https://api.slack.com/admins/audit-logs-call>
const SLACK: &[SignIn] = &[SignIn {
    is: &[("action", &["user_login", "user_login_failed"])],
    is_not: &[],
    end: by(&["action"], &["user_login"], &["user_login_failed"]),
    actor: &["actor.user.email", "actor.user.name", "actor.user.id"],
    source: &["context.ip_address"],
}];

/// <https://docs.snowflake.com/en/sql-reference/account-usage/login_history>
const SNOWFLAKE: &[SignIn] = &[SignIn {
    is: &[("EVENT_TYPE", &["LOGIN"])],
    is_not: &[],
    end: by(&["IS_SUCCESS"], &["YES"], &["NO"]),
    actor: &["USER_NAME"],
    source: &["CLIENT_IP"],
}];

/// <https://developers.zoom.us/docs/api/users/#tag/reports/get/report/activities>
const ZOOM: &[SignIn] = &[SignIn {
    is: &[("type", &["Sign in"])],
    is_not: &[],
    end: Always(Success),
    actor: &["email"],
    source: &["ip_address"],
}];

/// <https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema>
const MICROSOFT_365: &[SignIn] = &[SignIn {
    is: &[("Operation", &["UserLoggedIn", "UserLoginFailed"])],
    is_not: &[],
    end: by(&["Operation"], &["UserLoggedIn"], &["UserLoginFailed"]),
    actor: &["UserId", "UserKey"],
    source: &["ActorIpAddress", "ClientIP"],
}];

/// <https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_eventlogfile_login.htm>
const SALESFORCE: &[SignIn] = &[SignIn {
    is: &[("EVENT_TYPE", &["Login"])],
    is_not: &[],
    end: By {
        fields: &["LOGIN_STATUS"],
        successes: &["LOGIN_NO_ERROR"],
        failures: &[],
        undecided: &[],
        otherwise: Some(Failure),
    },
    actor: &["USER_NAME", "USER_ID"],
    source: &["SOURCE_IP", "CLIENT_IP"],
}];

/// <https://developer.box.com/guides/events/enterprise-events/for-enterprise/>
const BOX: &[SignIn] = &[SignIn {
    is: &[("event_type", &["LOGIN", "FAILED_LOGIN"])],
    is_not: &[],
    end: by(&["event_type"], &["LOGIN"], &["FAILED_LOGIN"]),
    actor: &["created_by.login", "created_by.name", "source.login"],
    source: &["ip_address"],
}];

/// <https://developers.asana.com/docs/audit-log-events>
const ASANA: &[SignIn] = &[SignIn {
    is: &[("event_type", &["user_login_succeeded", "user_login_failed"])],
    is_not: &[],
    end: by(&["event_type"], &["user_login_succeeded"], &["user_login_failed"]),
    actor: &["actor.email", "actor.name", "actor.gid"],
    source: &["context.client_ip_address"],
}];

/// All services.
pub const SERVICES: &[Service] = &[
    Service { log_type: "AWS.CloudTrail", sign_ins: CLOUDTRAIL },
    Service { log_type: "Auth0.Events", sign_ins: AUTH0 },
    Service { log_type: "Azure.Audit", sign_ins: AZURE },
    Service { log_type: "Duo.Authentication", sign_ins: DUO_AUTHENTICATION },
    Service { log_type: "Duo.Administrator", sign_ins: DUO_ADMINISTRATOR },
    Service { log_type: "Gravitational.TeleportAudit", sign_ins: TELEPORT },
    Service { log_type: "GSuite.ActivityEvent", sign_ins: GOOGLE },
    Service { log_type: "GSuite.Reports", sign_ins: GOOGLE },
    Service { log_type: "Okta.SystemLog", sign_ins: OKTA },
    Service { log_type: "OneLogin.Events", sign_ins: ONELOGIN },
    Service { log_type: "OnePassword.SignInAttempt", sign_ins: ONEPASSWORD },
    Service { log_type: "Slack.AuditLogs", sign_ins: SLACK },
    Service { log_type: "Snowflake.LoginHistory", sign_ins: SNOWFLAKE },
    Service { log_type: "Zoom.Activity", sign_ins: ZOOM },
    Service { log_type: "Zoom.Operation", sign_ins: &[] },
    Service { log_type: "Microsoft365.Audit.AzureActiveDirectory", sign_ins: MICROSOFT_365 },
    Service { log_type: "Salesforce.Login", sign_ins: SALESFORCE },
    Service { log_type: "Box.Event", sign_ins: BOX },
    Service { log_type: "Asana.Audit", sign_ins: ASANA },
];
