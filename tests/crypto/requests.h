/* Signing requests for tests, as base64; made once with openssl req. What is wrong with each stands above it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* P-256 for pump-1, signed with SHA-256 */
static const char __attribute__((unused)) request_good[] =
    "MIHLMHMCAQAwETEPMA0GA1UEAwwGcHVtcC0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAoGCCqGSM49BAMCA0gAMEUCID/hZQnH/lMo7Mlk"
    "OH7BHXJU4xRXIitf0RbZKqbXhFL9AiEAr8KRoR8YLMG+x31HNc9JzzytkE00vjDeHA0cKF34jTY=";
/* the same key, signed with SHA-384 */
static const char __attribute__((unused)) request_sha384[] =
    "MIHMMHMCAQAwETEPMA0GA1UEAwwGcHVtcC0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAoGCCqGSM49BAMDA0kAMEYCIQC2e+L3FH6vKx3L"
    "iS4vnQnX97ANYI/LQ+fML60DCvtYSQIhAJNf30l1vX+wwYah3lwIuviykn/uqS8NpK0Vx7w6VOyw";
/* asks for another device's URI, a DNS name and CA:TRUE */
static const char __attribute__((unused)) request_greedy[] =
    "MIIBajCCARACAQAwWDFFMEMGA1UECgw8eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
    "eHh4eHh4eHh4MQ8wDQYDVQQDDAZwdW1wLTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQLcZmkAD2KDU+RdJcU+Ir+uxgIEUVc"
    "IX51c6lNOkH4YS9qevlNpRdb+kIEAi1SJy79XcEhewQoMspOzzLbbHfHoFYwVAYJKoZIhvcNAQkOMUcwRTAyBgNVHREEKzAphhl1"
    "cm46aG9sZGZhc3Q6ZGV2aWNlOm90aGVyggxldmlsLmV4YW1wbGUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBg"
    "zqoWLiceJb7e6kcUcQbiguxRGkwYqqeGjOhwAadJ2wIhAJlca+98vbN1Zm8xCY1VCOx6StJpGHNQsPqwyquPCfc8";
/* RSA 2048 */
static const char __attribute__((unused)) request_rsa[] =
    "MIICVjCCAT4CAQAwETEPMA0GA1UEAwwGcHVtcC0xMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtHc0PS8t+5N60tcF"
    "0mDApBkCqRtqNn21jEvm1wP6sNY3zbSixXwaf2n03wSJDuHdxuDRn3/heWRFoh97MFQPJU2zawItBZqtnzLwnhG9Mdm9zlcZhmCG"
    "fDZ9w4KIs3U/39vIOs/AEgVCgumQGcuXrPodd/TQbBSikyiV8StO0PM4Wp6YmIaq1UNDoGN/qn6mufvEM4egzydtpM5+8F8P0tlR"
    "+D5oeKG0F+Nsu7faqNnhqvJq/MAdFOXa7iy5671v4ncaMUiHOM38jNQneUeHBN1bwMPNzo1/QjlH3nYzp3efRRMhWRdGZX3BiAtV"
    "Xx/kyTZJzPRLsZbhp4yW9HuJeQIDAQABoAAwDQYJKoZIhvcNAQELBQADggEBAErRYZtQAcnhBOPnrQbBTF048J0D1QOoWySCKnBB"
    "hofJ3ipuj9CU39nAToa3wm8H45raZ334gHy5ozhlIcpJ64sCdLMPfrP3uTEoLxXVCXIFTnF8pw0j1SMhaLYBTdB9skwruprAi/Th"
    "gLShqYBLw3+QknK4VNuOPFQO6d2Gd7MDfnFlJ6JHADtyEgq4yvNeoUKPPa1hZq7JRGsOyvH8wUHmrOUa9x4GWoHei123B6UA0X6g"
    "x6Db+jUE86QgRJSF4dbO7prwSUjr1D64p7pNSUQyCFjI2S8oqJ4GMT8oINYWAICMNEM4cxt3kCv/FrEQ/Ap3BrMRc4sFRgPaSV3c"
    "1FQ=";
/* P-384 */
static const char __attribute__((unused)) request_p384[] =
    "MIIBCDCBkAIBADARMQ8wDQYDVQQDDAZwdW1wLTEwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAT98YiFD+oNJ6hiKPVGtpOsg+9BMN02"
    "5c8uv0s45KGbYzLFCdHctpHPhoOTwNp9beCibXduoNVhym30TFkY/u5t2EGvgQYCJB7Fv+Yb62sTghtW6gcOg2xjxGrr9zvjVPWg"
    "ADAKBggqhkjOPQQDAwNnADBkAjBmdtlNpiT/IhJOsG322RJyOH5pWhBfWLsQQsDQ/3CdIBueqrxWqdYJOKmdYNJjursCMHBCclux"
    "JehBrjWF+Ab7dc30eze2cD/IXZM6JlOpZTPfu4+umaGn8OME/cb+Bfa9pQ==";
/* Ed25519 */
static const char __attribute__((unused)) request_ed25519[] =
    "MIGQMEQCAQAwETEPMA0GA1UEAwwGcHVtcC0xMCowBQYDK2VwAyEA0zs0SFrd5nyFEjzgORGYyjrR5eOe3maOc8axY7sXRRGgADAF"
    "BgMrZXADQQCCyMZuS4Qxf7DgigCfJ3jF7/Y0dF+hKlAdCnZjqVZTW/cnWOVtssh4MsFL5EguNaZr1Oxrt+yxe8R9Y6pGrk0M";
/* P-256 with explicit curve parameters */
static const char __attribute__((unused)) request_explicit[] =
    "MIIBwDCCAWcCAQAwETEPMA0GA1UEAwwGcHVtcC0xMIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAAB"
    "AAAAAAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57PrvVV2"
    "mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiY"
    "wpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IA"
    "BAtxmaQAPYoNT5F0lxT4iv67GAgRRVwhfnVzqU06QfhhL2p6+U2lF1v6QgQCLVInLv1dwSF7BCgyyk7PMttsd8egADAKBggqhkjO"
    "PQQDAgNHADBEAiAjSkOPIFflzRCfXhIt0GgDLsXQ+eEBjnyWU1L13jq5vwIgWYyrZTluWCj9y06lt5D2+an4TvmjETj//8i89P+7"
    "QjM=";
/* P-256 with a compressed point */
static const char __attribute__((unused)) request_compressed[] =
    "MIGrMFMCAQAwETEPMA0GA1UEAwwGcHVtcC0xMDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GGgADAKBggqhkjOPQQDAgNIADBFAiEAiweM593af0RZxAtkrLwOShl4U2oVOnqPricNp27wEiMCIFNEQN/7DzW8"
    "mswD26C2AX07d9hOeXfXY2JuVvQx5Ba8";
/* signed with SHA-1 */
static const char __attribute__((unused)) request_sha1[] =
    "MIHLMHMCAQAwETEPMA0GA1UEAwwGcHVtcC0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAkGByqGSM49BAEDSQAwRgIhAIq8+EcMjw4Rjj+T"
    "eqrZATyS2eJ8yXU8IoGnUdGg14C5AiEAvkZIiwCFzpMtp0gc4uzqWNKWQ8/ZerbW+ZtoXD1uO8Y=";
/* no common name */
static const char __attribute__((unused)) request_no_name[] =
    "MIHKMHMCAQAwETEPMA0GA1UECgwGbm9ib2R5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAoGCCqGSM49BAMCA0cAMEQCIF5K/pRCaHpXDP6K"
    "23A7e5ynIJs7Lt/hKYbFfGQFD39aAiB8o+lwpMs8Sk8fAKySGSFtwgPJcjzb9TIKIQRI3WwfPQ==";
/* two common names */
static const char __attribute__((unused)) request_two_names[] =
    "MIHeMIGEAgEAMCIxDzANBgNVBAMMBnB1bXAtMTEPMA0GA1UEAwwGcHVtcC0yMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZ"
    "pAA9ig1PkXSXFPiK/rsYCBFFXCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAoGCCqGSM49BAMC"
    "A0kAMEYCIQDIoJwarLO1BeHSwa0SQQ6gK9O393jmNwpeWXUzDYlJwQIhAKcUnj1/KSugfljKMa5ug1elOmWpwa1D3G7nmHBLUhQR";
/* common name "pump 1" */
static const char __attribute__((unused)) request_bad_id[] =
    "MIHKMHMCAQAwETEPMA0GA1UEAwwGcHVtcCAxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEC3GZpAA9ig1PkXSXFPiK/rsYCBFF"
    "XCF+dXOpTTpB+GEvanr5TaUXW/pCBAItUicu/V3BIXsEKDLKTs8y22x3x6AAMAoGCCqGSM49BAMCA0cAMEQCICDPNkdNJoC2Ku+F"
    "SgoQJ6QtOpb+/rcZw85Cy2emhZwRAiBCweMmEnZk2P6Xb4UX9B4Q22n0oElc8tA0vSlMoWnb6Q==";
