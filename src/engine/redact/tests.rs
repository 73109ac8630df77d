//! A labelled corpus with near misses, cases by hand, properties, and how fast it is.

use proptest::prelude::*;
use rand::Rng;
use rand::SeedableRng as _;
use rand::seq::IndexedRandom as _;
use rand_pcg::Pcg64Mcg;

use super::mark::{MARK_BYTES_MAX, MARK_START};
use super::*;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";

struct Maker(Pcg64Mcg);

impl Maker {
    fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from.choose(&mut self.0).copied().unwrap_or_default()
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }

    fn word(&mut self, length: usize) -> String {
        self.of(&format!("{UPPER}{LOWER}{DIGITS}"), length)
    }

    fn base64_url(&mut self, length: usize) -> String {
        self.of(&format!("{UPPER}{LOWER}{DIGITS}-_"), length)
    }

    fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|length| self.of(HEX, length)).join("-")
    }

    fn jwt(&mut self) -> String {
        let (body, signature) = (self.base64_url(80), self.base64_url(43));
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{body}.{signature}")
    }

    fn password(&mut self) -> String {
        match self.below(6) {
            0 => self
                .pick(&["hunter2", "Tr0ub4dor&3", "letmein!", "s3cr3t", "P@ssw0rd", "qwerty12", "changeme1"])
                .to_owned(),
            1 => {
                let length = 6 + self.below(20);
                self.word(length)
            }
            2 => format!("{}{}", self.pick(&["Summer", "winter", "Berlin", "dragon"]), 2000 + self.below(40)),
            3 => {
                let length = 8 + self.below(12);
                self.of("abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789!#%*+-_.~^", length) + "a7"
            }
            4 => self.of(LOWER, 10),
            _ => format!("{}-{}-{}", self.of(LOWER, 5), self.of(LOWER, 5), self.of(DIGITS, 3)),
        }
    }

    fn card(&mut self) -> String {
        let (head, length) =
            *[("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14)]
                .choose(&mut self.0)
                .unwrap();
        let mut digits: Vec<u32> = head.chars().filter_map(|c| c.to_digit(10)).collect();
        while digits.len() < length - 1 {
            digits.push(self.0.random_range(0..10));
        }
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(at, d)| if at % 2 == 0 { (d * 2) / 10 + (d * 2) % 10 } else { *d })
            .sum();
        digits.push((10 - sum % 10) % 10);
        digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect()
    }

    fn issued(&mut self) -> String {
        match self.below(20) {
            0 => format!("AKIA{}", self.of(&format!("{UPPER}234567"), 16)),
            1 => format!("ASIA{}", self.of(&format!("{UPPER}234567"), 16)),
            2 => format!("AIza{}", self.base64_url(35)),
            3 => format!("ya29.{}", self.base64_url(60)),
            4 => format!("ghp_{}", self.word(36)),
            5 => format!("github_pat_{}_{}", self.word(22), self.word(59)),
            6 => format!("glpat-{}", self.base64_url(20)),
            7 => format!("xoxb-{}-{}-{}", self.of(DIGITS, 12), self.of(DIGITS, 12), self.word(24)),
            8 => format!("xapp-1-A{}-{}-{}", self.of(DIGITS, 10), self.of(DIGITS, 13), self.of(HEX, 64)),
            9 => format!("sk_live_{}", self.word(24)),
            10 => format!("rk_test_{}", self.word(24)),
            11 => format!("whsec_{}", self.word(32)),
            12 => format!("u+{}", self.base64_url(18)),
            13 => format!("SG.{}.{}", self.base64_url(22), self.base64_url(43)),
            14 => format!("npm_{}", self.word(36)),
            15 => format!("hvs.{}", self.base64_url(90)),
            16 => format!("sk-proj-{}", self.base64_url(48)),
            17 => format!("dop_v1_{}", self.of(HEX, 64)),
            18 => self.jwt(),
            _ => format!("glsa_{}_{}", self.word(32), self.of(HEX, 8)),
        }
    }

    fn opaque(&mut self) -> String {
        match self.below(5) {
            0 => self.of(HEX, 32),
            1 => self.uuid(),
            2 => self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), 40),
            3 => self.issued(),
            _ => {
                let length = 20 + self.below(40);
                self.base64_url(length)
            }
        }
    }

    fn service(&mut self) -> &'static str {
        self.pick(&["payment", "checkout", "cart", "orders-db", "auth", "gateway", "shipping", "search"])
    }

    /// A line with a secret, and the secret.
    fn secret_line(&mut self) -> (String, String) {
        let (password, opaque, issued, service) = (self.password(), self.opaque(), self.issued(), self.service());
        let password_name = self.pick(&[
            "password",
            "passwd",
            "DB_PASSWORD",
            "db.password",
            "userPassword",
            "PGPASSWORD",
            "MYSQL_PWD",
            "passphrase",
            "redis_password",
            "spring.datasource.password",
            "db_pass",
        ]);
        let token_name = self.pick(&[
            "token",
            "access_token",
            "accessToken",
            "refresh_token",
            "auth_token",
            "api_key",
            "apikey",
            "apiKey",
            "X-Api-Key",
            "client_secret",
            "clientSecret",
            "aws_secret_access_key",
            "secret_key",
            "routing_key",
            "integrationKey",
            "AccountKey",
            "SECRET",
            "private_key",
            "credential",
            "sessionid",
        ]);
        match self.below(40) {
            0 => (format!("connect {password_name}={password} host=10.0.3.7 retry=3"), password),
            1 => (format!("{{\"user\":\"app\",\"{password_name}\":\"{password}\",\"ssl\":true}}"), password),
            2 => (format!("{{\"level\":\"info\", \"{password_name}\": \"{password}\", \"user\": \"app\"}}"), password),
            3 => (format!("{password_name}: {password}"), password),
            4 => (format!("  {password_name}: \"{password}\"  # from the vault"), password),
            5 => (format!("config {{user: app, {password_name}: {password}, pool: 12}}"), password),
            6 => (format!("map[host:db-1 {password_name}:{password} user:app]"), password),
            7 => (format!("{{'{password_name}': '{password}', 'port': 5432}}"), password),
            8 => (format!("Config {{ user: \"app\", {password_name}: Some(\"{password}\"), pool: 3 }}"), password),
            9 => (format!("exec mysql --user app --password={password} -h db-1"), password),
            10 => (format!("exec tool --password {password} --verbose"), password),
            11 => (format!("<{password_name}>{password}</{password_name}>"), password),
            12 => (format!("export {password_name}='{password}'"), password),
            13 => {
                (format!("msg=\"{{\\\"{password_name}\\\":\\\"{password}\\\",\\\"user\\\":\\\"app\\\"}}\""), password)
            }
            14 => (format!("ALTER USER app WITH PASSWORD '{password}';"), password),
            15 => (format!("CREATE USER 'app'@'%' IDENTIFIED BY '{password}'"), password),
            16 => (format!("\x1b[32m{password_name}\x1b[0m=\x1b[33m{password}\x1b[0m user=app"), password),
            17 => {
                let scheme = self.pick(&["postgres", "mysql", "amqp", "redis", "mongodb+srv", "https", "postgresql"]);
                let safe = password.replace(['#', '%', '&', '+', '^'], "x");
                (format!("cannot reach {scheme}://app:{safe}@{service}.internal:5432/orders?sslmode=require"), safe)
            }
            18 => (format!("env {{\"name\":\"{password_name}\",\"value\":\"{password}\"}}"), password),
            19 => (
                format!(
                    "jdbc:postgresql://db-1:5432/shop?user=app&{password_name}={}&ssl=true",
                    password.replace(['&', '#'], "x")
                ),
                password.replace(['&', '#'], "x"),
            ),
            20 => (format!("GET /v1/items?{token_name}={opaque}&limit=50 200 12ms"), opaque),
            21 => (format!("{{\"{token_name}\":\"{opaque}\",\"expires_in\":3600}}"), opaque),
            22 => (format!("{token_name}: {opaque}"), opaque),
            23 => (format!("set {token_name}={opaque} for {service}"), opaque),
            24 => (format!("{token_name} = \"{opaque}\""), opaque),
            25 => (format!("--{} {opaque}", token_name.to_lowercase().replace('_', "-")), opaque),
            26 => (format!("Authorization: Bearer {opaque}"), opaque),
            27 => (format!("> authorization: bearer {opaque}\\r\\n"), opaque),
            28 => (format!("headers={{\"Authorization\":[\"Bearer {opaque}\"],\"Accept\":[\"*/*\"]}}"), opaque),
            29 => {
                use base64::Engine as _;
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("app:{password}"));
                (format!("Authorization: Basic {pair}"), pair)
            }
            30 => (format!("Authorization: Token token={opaque}"), opaque),
            31 => (format!("Cookie: session={opaque}; theme=dark"), opaque),
            32 => (format!("Set-Cookie: sid={opaque}; Path=/; HttpOnly; Secure"), opaque),
            33 => (format!("{service} uses {issued} for uploads"), issued),
            34 => (format!("found {issued}."), issued),
            35 => (format!("url=https://x.example/cb?code=1&t={issued}&x=1"), issued),
            36 => {
                let card = self.card();
                (format!("charge {card} for {service}"), card)
            }
            37 => {
                let card = self.card();
                (format!("{{\"card_number\":\"{card}\",\"amount\":12}}"), card)
            }
            38 => {
                let card = loop {
                    let card = self.card();
                    if card.len() == 16 {
                        break card;
                    }
                };
                let shown: Vec<String> = (0..4).map(|at| card[at * 4..at * 4 + 4].to_owned()).collect();
                let separator = self.pick(&[" ", "-"]);
                let shown = shown.join(separator);
                (format!("pan {shown} declined"), shown)
            }
            _ => {
                let body = self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), 128);
                (
                    format!("\"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n\""),
                    body,
                )
            }
        }
    }

    /// A line without a secret, that looks as if it had one.
    fn clean_line(&mut self) -> String {
        let (service, uuid, number) = (self.service(), self.uuid(), self.below(90_000));
        match self.below(44) {
            0 => format!("deploy {service} at commit {}", self.of(HEX, 40)),
            1 => format!("request_id={uuid} status=200 duration_ms={number}"),
            2 => format!("trace_id={} span_id={} level=info msg=ok", self.of(HEX, 32), self.of(HEX, 16)),
            3 => format!("pulled registry.example.com/{service}@sha256:{}", self.of(HEX, 64)),
            4 => format!("integrity sha512-{}==", self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), 86)),
            5 => format!("digest: {}=", self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), 43)),
            6 => format!(
                "version v1.{}.{}-rc.{} built with rustc 1.95.0 (abc1234de 2026-09-01)",
                self.below(40),
                self.below(99),
                self.below(9)
            ),
            7 => format!("order 4{} accepted by {service}", self.of(DIGITS, 15)),
            8 => format!("order_id=4{} total=12.50", self.of(DIGITS, 15)),
            9 => format!("received block blk_-{} of size 67108864 from /10.250.19.102", self.of("123456789", 19)),
            10 => format!("at 17{} us, offset 5{}", self.of(DIGITS, 14), self.of(DIGITS, 15)),
            11 => format!("2026-11-21 18:51:18.{:03} INFO [{service}] took {number} ms", self.below(1000)),
            12 => {
                format!("Failed password for invalid user admin from 203.0.113.{} port {number} ssh2", self.below(255))
            }
            13 => "invalid password: user not found".to_owned(),
            14 => format!("password changed for user {service}, password expires in {number} days"),
            15 => "password: required field is missing".to_owned(),
            16 => format!("password=*** user={service} attempt={number}"),
            17 => "password=${DB_PASSWORD} token={{ .Values.token }} secret=<redacted>".to_owned(),
            18 => format!("token expired for {service}; refreshing token"),
            19 => format!("unexpected token '<' at line {number}: token: identifier"),
            20 => format!("tokens=512 max_tokens={number} token_type=bearer token_count={number}"),
            21 => format!("mounting secret {service}-credentials, secret={service}-db-tls"),
            22 => format!("next_token={} page_token={}", self.base64_url(24), self.base64_url(24)),
            23 => format!("cache key=user:{number}:cart hit=true primary_key={number}"),
            24 => format!("partition_key={uuid} row_key={number} key={}", self.of(HEX, 32)),
            25 => format!("GET http://{service}:8080/api/v1/orders?page=3 200 {number}"),
            26 => format!("connect postgres://{service}.internal:5432/shop as app"),
            27 => format!("mail to ops@{service}.example.com via smtp://mail:25"),
            28 => format!(
                "pod {service}-7f9c5d8b6c-x7k2p restarted, node ip-10-0-{}-{}",
                self.below(255),
                self.below(255)
            ),
            29 => format!("PAM: pam_unix(sshd:session): session opened for user {service} uid={number}"),
            30 => "Authorization: required; authorization denied for anonymous".to_owned(),
            31 => "WWW-Authenticate: Bearer realm=\"example\", error=\"invalid_token\"".to_owned(),
            32 => "basic auth is disabled, bearer token missing, use bearer authentication".to_owned(),
            33 => format!("tests pass=12 fail=0 skipped={number}; all pass"),
            34 => format!(
                "etag W/\"{}\" content-md5 {}==",
                self.of(HEX, 16),
                self.of(&format!("{UPPER}{LOWER}{DIGITS}"), 22)
            ),
            35 => format!("mac 0a:1b:2c:3d:4e:5f serial {} phone +49 30 {}", self.of(DIGITS, 12), self.of(DIGITS, 8)),
            36 => format!("session {uuid} of {service} lasted {number} s"),
            37 => format!(
                "-----BEGIN CERTIFICATE----- {} -----END CERTIFICATE-----",
                self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), 64)
            ),
            38 => "the password is incorrect and the token is invalid".to_owned(),
            39 => format!("disk-{number} task-{} ask-{}", self.of(HEX, 8), self.of(LOWER, 30)),
            40 => format!(
                "snowflake {} invoice 5{} ticket 4{}",
                self.of("456", 18),
                self.of(DIGITS, 15),
                self.of(DIGITS, 15)
            ),
            41 => format!(
                "kubectl get secret {service}-token-x7k2p -n prod; serviceaccount token mounted at /var/run/secrets/kubernetes.io/serviceaccount/token"
            ),
            42 => format!("public_key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ops", self.word(43)),
            _ => format!(
                "key rotation done, keys=3 keyspace={service} monkey=1 hotkey={number} passed=true bypass=false compass: north"
            ),
        }
    }
}

#[test]
fn the_corpus_is_cleaned_and_its_near_misses_stay() {
    let mut maker = Maker::new(20_261_121);
    let (mut secret_count, mut missed, mut mark_count, mut wrong) = (0, Vec::new(), 0, Vec::new());
    for _ in 0..8_000 {
        let (line, secret) = maker.secret_line();
        let shown = redact(&line);
        secret_count += 1;
        let marks = shown.matches(MARK_START).count();
        mark_count += marks;
        if shown.contains(&secret) || marks == 0 {
            missed.push(format!("{line}\n   -> {shown}"));
        } else if marks > 1 {
            wrong.push(format!("{line}\n   -> {shown}"));
        }
    }
    for _ in 0..8_000 {
        let line = maker.clean_line();
        let shown = redact(&line);
        let marks = shown.matches(MARK_START).count();
        mark_count += marks;
        wrong.extend((marks > 0).then(|| format!("{line}\n   -> {shown}")));
    }
    let recall = 1.0 - missed.len() as f64 / f64::from(secret_count);
    let precision = 1.0 - wrong.len() as f64 / mark_count as f64;
    let some = |lines: &[String]| lines.iter().step_by(lines.len() / 25 + 1).cloned().collect::<Vec<_>>().join("\n");
    let told =
        format!("recall {recall:.5}, precision {precision:.5}\nmissed:\n{}\nwrong:\n{}", some(&missed), some(&wrong));
    assert!(recall >= 0.999 && precision >= 0.98, "{told}");
}

#[test]
fn what_a_secret_leaves_behind_can_be_read() {
    for (text, shown) in [
        ("user=app password=hunter2 host=db", "user=app password=⟨redacted:password⟩ host=db"),
        ("password: hunter2", "password: ⟨redacted:password⟩"),
        (r#"{"password":"a\"b c","x":1}"#, r#"{"password":"⟨redacted:password⟩","x":1}"#),
        ("postgres://app:p@ssw0rd@db-1:5432/shop", "postgres://app:⟨redacted:password⟩@db-1:5432/shop"),
        ("postgres://app:pa/ss@db-1:5432/shop", "postgres://app:⟨redacted:password⟩@db-1:5432/shop"),
        ("redis://:hunter2@cache:6379/0", "redis://:⟨redacted:password⟩@cache:6379/0"),
        ("login 4111 1111 1111 1111.", "login ⟨redacted:card-number⟩."),
        ("charge 4111111111111111, retry", "charge ⟨redacted:card-number⟩, retry"),
        ("order card 4111111111111111", "order card ⟨redacted:card-number⟩"),
        ("Proxy-Authorization: Basic YXBwOmh1bnRlcjI=", "Proxy-Authorization: Basic ⟨redacted:authorization⟩"),
        ("requirepass hunter2", "requirepass ⟨redacted:password⟩"),
        ("f(password='x y z', n=1)", "f(password='⟨redacted:password⟩', n=1)"),
        ("пароль password=пароль ok", "пароль password=⟨redacted:password⟩ ok"),
        ("cvv=123", "cvv=⟨redacted:password⟩"),
    ] {
        assert_eq!(redact(text), shown);
    }
}

#[test]
fn words_about_secrets_stay() {
    for text in [
        "password=",
        "password: ",
        "password",
        "token=abc",
        "secret: payment-db",
        "api_key_id=12",
        "password_file=/run/x",
        "password=/run/secrets/db",
        "token_endpoint=https://x/y",
        "https://example.com/@user",
        "http://h:8080/a@b",
        "a://",
        "://@",
        "no_password=false",
        "sigma=3",
        "signature verified",
        "1234 5678 9012 3456",
        "4111111111111112",
        "id 4111111111111111",
        "eyJ",
        "eyJhIjoxfQ.eyJ.x",
        "AKIA",
        "akiaiosfodnn7example1",
        "Bearer",
        "basic YXBw",
        "key=value",
        "api_key=production",
        "password must be longer",
        "the password is wrong",
        "--token --verbose",
        "pass=12 fail=3",
        "passkeys: 4",
        "session_id=42",
        "cookie: yes",
        "sk-learn and disk-usage",
        "u+1F600",
        "SG.",
    ] {
        assert!(matches!(redact(text), Cow::Borrowed(_)), "{text} -> {}", redact(text));
    }
}

#[test]
fn two_mentions_of_one_secret_can_be_joined_and_guessable_ones_cannot() {
    let mark = |text: &str| redact(text).split_once("⟨").map(|(_, rest)| rest.split('⟩').next().unwrap().to_owned());
    let digits = |text: &str| mark(text).and_then(|mark| mark.split_once('#').map(|(_, digits)| digits.to_owned()));
    let token = "9f8e7d6c5b4a39281706f5e4d3c2b1a0";
    let (first, second) = (digits(&format!("token={token}")), digits(&format!("Authorization: Bearer {token}")));
    assert!(first.is_some());
    assert_eq!(first, second);
    assert_ne!(first, digits("token=9f8e7d6c5b4a39281706f5e4d3c2b1a1"));
    for text in ["password=hunter2", "password=correcthorsebatterystaple", "card 4111111111111111", "token=abc12345"] {
        assert!(mark(text).is_some() && digits(text).is_none(), "{text}");
    }
}

#[test]
fn a_private_key_is_taken_out_line_by_line_and_what_follows_stays() {
    let mut redactor = LineRedactor::default();
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASC==\n-----END RSA PRIVATE KEY-----\nstarted in 3 ms";
    let shown: Vec<String> = key.lines().map(|line| redactor.line(line).into_owned()).collect();
    assert!(shown[..4].iter().all(|line| line == "⟨redacted:private-key⟩"), "{shown:?}");
    assert_eq!(shown[4], "started in 3 ms");
    let mut redactor = LineRedactor::default();
    redactor.line("-----BEGIN PRIVATE KEY-----");
    assert_eq!(
        redactor.line("[error] the key's end never came: 12 bytes (of 3)"),
        "[error] the key's end never came: 12 bytes (of 3)"
    );
    assert_eq!(redactor.line("abc"), "abc");
}

#[test]
fn a_label_is_judged_by_its_name() {
    assert_eq!(redact_named("password", "hunter2"), "⟨redacted:password⟩");
    assert_eq!(redact_named("secret", "payment-db-tls"), "payment-db-tls");
    assert_eq!(redact_named("service", "payment"), "payment");
    assert!(redact_named("summary", "password=hunter2 was tried").contains("password=⟨redacted:password⟩ was"));
}

#[test]
fn a_hostile_line_costs_no_more_than_its_length() {
    // Names without end, quotes that never close, schemes without hosts: a look at each must not read all the rest.
    for piece in [
        "password=\"",
        "token=",
        "://",
        "a://b:",
        "-----BEGIN ",
        "eyJ",
        "key key",
        "4111 ",
        "Bearer ",
        "⟨redacted:",
        "secret=a",
    ] {
        let line = piece.repeat(200_000 / piece.len());
        assert!(redact(&line).len() <= line.len() * 4 + MARK_BYTES_MAX, "{piece}");
    }
}

proptest! {
    #[test]
    fn any_text_comes_through(text in "(?s).{0,300}") {
        let shown = redact(&text).into_owned();
        prop_assert_eq!(redact(&shown), shown.as_str());
        prop_assert!(shown.len() <= text.len() + MARK_BYTES_MAX * (text.len() / 3 + 1));
    }

    #[test]
    fn pieces_of_secrets_in_any_order_come_through(parts in proptest::collection::vec(
        prop_oneof![
            Just("password"), Just("token"), Just("=") , Just(": "), Just("\""), Just("'"), Just("\\"), Just("://"), Just("@"), Just("a"),
            Just("Bearer "), Just("eyJhbGciOiJIUzI1NiJ9"), Just("."), Just("4111"), Just("1111"), Just(" "), Just("-"), Just("⟨redacted:"),
            Just("⟨redacted:key⟩"), Just("⟩"), Just("AKIAIOSFODNN7EXAMPLE"), Just("\u{1b}[0m"), Just("ü"), Just("hunter2"), Just(","),
            Just("-----BEGIN PRIVATE KEY-----"), Just("-----END PRIVATE KEY-----"), Just("Cookie: a="), Just("Authorization: "), Just("x9Zq81LmA0"),
            Just("{"), Just("}"), Just("api_key"), Just("\n"), Just("Basic "), Just("Some("), Just("<secret>"), Just("--"), Just("value"),
        ], 0..40)) {
        let text = parts.concat();
        let shown = redact(&text).into_owned();
        prop_assert_eq!(redact(&shown), shown.as_str(), "{}", text);
        prop_assert!(shown.len() <= text.len() + MARK_BYTES_MAX * (text.len() / 3 + 1));
    }
}
