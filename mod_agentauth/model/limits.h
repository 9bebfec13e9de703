/* SPDX-License-Identifier: Apache-2.0 */
/* Every named maximum of libagentauth and the module, in one list. */
#ifndef AA_LIMITS_H
#define AA_LIMITS_H

/* credentials */
#define AA_CREDENTIAL_MAX 16384      /* bytes of one credential, any kind */
#define AA_JWT_MAX AA_CREDENTIAL_MAX /* bytes of a compact JWS */
#define AA_JOSE_DEPTH_MAX 16         /* nesting of JOSE header and claims */
#define AA_SEEN_MAX 4096             /* bytes that a connection remembers */
#define AA_IDENTITY_MAX 255          /* bytes of an identity, UTF-8 */
#define AA_PERMISSIONS_MAX 1024      /* permissions of one principal */
#define AA_PERMISSION_BYTES_MAX 256  /* bytes of one permission */
#define AA_REALM_MAX 255             /* bytes of a realm's name */
#define AA_NAME_MAX 255              /* bytes of a user's or key's name */
#define AA_KEY_PREFIX_MAX 64         /* bytes of an API key prefix */
#define AA_KEY_PREFIX_MIN 4          /* and the fewest it may have */

/* JWK sets */
#define AA_JWKS_BYTES_MAX (1024 * 1024) /* bytes of a set or of discovery */
#define AA_JWKS_KEYS_MAX 1024           /* keys looked at in one set */
#define AA_KID_MAX 256                  /* bytes of a "kid" */
#define AA_JWKS_TRIES_MAX 8             /* signatures tried for one token */
#define AA_RSA_BITS_MIN 2048            /* of a modulus (RFC 7518 s3.3) */
#define AA_RSA_BITS_MAX 8192            /* beyond it a check takes too long */
#define AA_RSA_EXPONENT_BITS_MAX 64     /* likewise */
#define AA_SECRET_MAX 4096              /* bytes of a configured secret */
#define AA_SIGNING_KEYS_MAX 64          /* signing keys of ours on disk */
#define AA_SIGNING_BYTES_MAX 4096       /* bytes of one of their files */

/* outgoing requests */
#define AA_HTTP_BODY_MAX (1024 * 1024)      /* bytes of an answer */
#define AA_HTTP_HEADER_MAX 65536            /* bytes of an answer's head */
#define AA_URL_MAX 2048                     /* bytes of a URL that is fetched */
#define AA_HTTP_FIELDS_MAX 256              /* header fields of an answer */
#define AA_HTTP_IDLE_MAX 16                 /* idle connections a process */
#define AA_HTTP_IDLE_TIME (30 * 1000000LL)  /* and how long each stays */
#define AA_HTTP_IDLE_UNSAFE (1 * 1000000LL) /* … for a POST and the like */

/* questions to a backend */
#define AA_BACKEND_URL_MAX 32768 /* bytes of a URL, path and query encoded */
#define AA_BACKEND_ANSWER_MAX (16 * 1024 * 1024) /* bytes of an answer */
#define AA_BACKEND_DEPTH_MAX 2000 /* nesting of one; jansson ends at 2048 */
#define AA_BACKEND_TIMEOUT (15 * 1000000LL) /* in all */
#define AA_BACKEND_CONNECT (3 * 1000000LL)  /* for connecting */

/* what is handed to the backend */
#define AA_HANDED_HEADER_MAX 4096 /* bytes of one header of ours */
#define AA_ASSERTION_MAX 8192     /* bytes of the assertion */

/* requests */
#define AA_BODY_MAX_DEFAULT (16 * 1024 * 1024)     /* AgentAuthMaxBody */
#define AA_BODY_MAX_CEILING (1024LL * 1024 * 1024) /* and its upper bound */
#define AA_BODY_DEPTH_MAX 512   /* nesting of a request body */
#define AA_QUERY_PARAMS_MAX 256 /* named parameters of one query */
#define AA_PATH_MAX 8192        /* bytes of a path */
#define AA_BATCH_MAX 1000       /* elements of a batch body */

/* configuration */
#define AA_CONF_WORD_MAX 255  /* bytes of a name in a directive */
#define AA_CONF_PATH_MAX 1024 /* bytes of AgentAuthPath or a prefix */
#define AA_ORIGINS_MAX 256    /* origins in one list */
#define AA_PASS_CLAIMS_MAX 64 /* claims in AgentAuthPassClaims */
#define AA_RELOAD_MIN 50000LL /* microseconds */
#define AA_RELOAD_DEFAULT 250000LL

/* caches */
#define AA_CACHE_PRINCIPALS_MAX 16384 /* entries a process */
#define AA_CACHE_BYTES_MAX (64 * 1024 * 1024)
#define AA_CACHE_TTL_MAX (60 * 1000000LL) /* microseconds a fact may live */

/* store, epoch page, state directory */
#define AA_STORE_IDLE_MAX 16       /* idle connections a process */
#define AA_STORE_STATEMENTS_MAX 32 /* prepared statements a connection */
#define AA_STORE_COLUMNS_MAX 16    /* columns of one row */
#define AA_STORE_READ_WAIT 500     /* milliseconds a read waits for a lock */
#define AA_STORE_WRITE_WAIT 2000   /* … a durable write */
#define AA_STORE_LAZY_WAIT 20      /* … a write that may be lost */
#define AA_EPOCH_SLOTS 4096        /* slots of the epoch page */
#define AA_EFFECTIVE_BYTES_MAX (1024 * 1024)  /* bytes of effective.json */
#define AA_PEPPER_LEN 32                      /* bytes */
#define AA_KEY_USED_INTERVAL (60 * 1000000LL) /* between last-used marks */

/* objects and runs of the backend, in memory that all processes share */
#define AA_OBJECT_KEYS_MAX 4096       /* keys of one hold: a batch's, twice */
#define AA_OBJECT_CHANGES_MAX 256     /* of them exclusive, of one request */
#define AA_OBJECT_VERSIONS 65536      /* slots of versions */
#define AA_OBJECT_FACTS 4096          /* facts kept, in sets of … */
#define AA_OBJECT_FACTS_SET 4         /* … so many: the oldest goes */
#define AA_OBJECT_FACT_MAX 4096       /* bytes of one */
#define AA_OBJECT_READINGS 8          /* facts that a thread keeps parsed */
#define AA_OBJECT_FACT_TTL 30000000LL /* microseconds it is believed */
#define AA_OBJECT_IDLE_MAX 64         /* idle descriptors a process */
#define AA_OBJECT_SEATS 4096          /* shared locks without a queue */
#define AA_OBJECT_SEATS_HOLD 256      /* keys of one hold that have seats */
#define AA_OBJECT_WRITERS 16384       /* slots of writers announced */
#define AA_RETIRED_MAX 65536          /* deleted ids kept, in sets of … */
#define AA_RETIRED_SET 16             /* … so many */
#define AA_RUNS_IDENTITIES 4096       /* identities with runs, in sets of … */
#define AA_RUNS_SET 8                 /* … so many: the longest idle goes */
#define AA_RUNS_PER_IDENTITY 128      /* the newest of each are kept */

/* enforcement */
#define AA_ENFORCE_HOLD_WAIT (10 * 1000000LL) /* for the locks of a request */
#define AA_EDIT_SMALL 65536 /* bytes of a body whose old texts may stay */
#define AA_LIST_BODY_MAX (1024 * 1024)       /* bytes of such a search */
#define AA_LIST_PAGE 100                     /* elements fetched at once */
#define AA_LIST_ELEMENTS_MAX 10000L          /* looked at for one list */
#define AA_LIST_BYTES_MAX (64 * 1024 * 1024) /* of answers for one list */
#define AA_LIST_TIME_MAX (15 * 1000000LL)    /* for one list */
#define AA_LIST_OFFSET_MAX 1000000L          /* that a client may ask for */

#endif
