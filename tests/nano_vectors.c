#include "tests/nano_vectors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/nano/work.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define R "nano_1stofnrxuz3cai7ze75o174bpm7scwj9jn3nxsn8ntzg784jf1gzn1jjdkou"

/* clang-format off */
const struct nano_vector_key nano_vector_keys[] = {
    {.seed = ZEROS, .index = 0u,
     .private_key = "9F0E444C69F77A49BD0BE89DB92C38FE713E0963165CCA12FAF5712D7657120F",
     .public_key = "C008B814A7D269A1FA3C6528B19201A24D797912DB9996FF02A1FF356E45552B",
     .address = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"},
    {.seed = ZEROS, .index = 1u,
     .private_key = "B73B723BF7BD042B66AD3332718BA98DE7312F95ED3D05A130C9204552A7AFFF",
     .public_key = "E30D22B7935BCC25412FC07427391AB4C98A4AD68BAA733300D23D82C9D20AD3",
     .address = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9"},
    {.seed = "0000000000000000000000000000000000000000000000000000000000000001", .index = 1u,
     .private_key = "1495F2D49159CC2EAAAA97EBB42346418E1268AFF16D7FCA90E6BAD6D0965520",
     .public_key = "8F26EF538DE2D678FF8524CCF07C089E90844B204C821D74AEAE416F5C301604",
     .address = "nano_35s8xxbrurpph5zrcb8ey3y1j9niij7k1m645otcxdk3fxg517i6j5empshy"},
    {.seed = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", .index = 0u,
     .private_key = "F1FD8CBD15A54FABDED17C65C4DD44E1F93AAD122FCC1840B1EDEFAAA5BA2B22",
     .public_key = "6DDE6DDEDE04254B9BC75D04017D4F4406AC7A5F7374550C1EECC8594BFB1E70",
     .address = "nano_1ugyfqhfw337bgfwgqa617ynyj18ojx7ywuncn83xu8ad77zp9mip188iakf"},
    {.seed = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", .index = 2147483647u,
     .private_key = "939B057D5F44F1D334B5F4B306EC5E7863B688FD4E762DFDDE023313A0B0D5BE",
     .public_key = "DDC7405315EE75AF35B7E832C84EB6D4F0A17FF0F6C8608171136F99E5379737",
     .address = "nano_3qg9a3bjdumoowtuht3ks39dfo9in7zz3xpae41q46uhm9kmh7sq97e73shy"},
    {.seed = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", .index = 4294967295u,
     .private_key = "DEEBCFE9D2FFFE6B278A67EA08B8B2BB1ED0072BEEAFAD6CABB14657BE117B2F",
     .public_key = "AC7037809A9717838E358BE6B8329739D4FFB8477470752E110762E546A39CE8",
     .address = "nano_3d5i8y1bo7rqig95d4z8q1sbgggnzyw6gx5ignq343u4wo5c999aqi9qenhm"},
    {.seed = "D56143E7561D71C1AF4D563C6AF79EECE93E82479818AD8ED88BED1AAE8BE4E5", .index = 0u,
     .private_key = "1F6FEB5D1E05C10B904E1112F430C3FA93ACC7067206B63AD155199501794E3E",
     .public_key = "12ABE40E10BADF9C9CB578FAD0FEC68E480C54DDA5472B79EB66B27173180A69",
     .address = "nano_16odwi933gpzmkgdcy9tt5zef5ka3jcfubc97fwypsokg7sji4mb9n6qtbme"},
    {.seed = NULL,
     .private_key = ZEROS,
     .public_key = "19D3D919475DEED4696B5D13018151D1AF88B2BD3BCFF048B45031C1F36D1858",
     .address = "nano_18gmu6engqhgtjnppqam181o5nfhj4sdtgyhy36dan3jr9spt84rzwmktafc"},
    {.seed = NULL,
     .private_key = "0000000000000000000000000000000000000000000000000000000000000002",
     .public_key = "DDD378054E7F57E0B9352FFE176D76322CF10CA7F4945415FE50E84C60583DFB",
     .address = "nano_3qgmh14nwztqw4wmcdzy4xpqeejey68chx6nciczwn9abji7ihhum9qtpmdr"},
    {.seed = NULL,
     .private_key = "781186FB9EF17DB6E3D1056550D9FAE5D5BBADA6A6BC370E4CBB938B1DC71DA3",
     .public_key = "3068BB1CA04525BB0E416C485FE6A67FD52540227D267CC8B6E8DA958A7FA039",
     .address = "nano_1e5aqegc1jb7qe964u4adzmcezyo6o146zb8hm6dft8tkp79za3sxwjym5rx"},
};

const struct nano_vector_block nano_vector_blocks[] = {
    {.id = "V1", .key = 1, .subtype = NANO_OPEN,
     .account = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
     .previous = ZEROS,
     .representative = R,
     .balance = "1000000000000000000000000000000",
     .link = "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
     .hash = "90BC245AC50982E1D035C77C69B0C860C5C45CE6DEE77095D75FC76D6AEA0B8E",
     .signature = "8F176C31711094CA97806357AF0D94EE841676F872517E695ADD293BE8E3F56C"
                  "44B0C522F9F710B37116E1F6922F378EE1401CA59F44AF39A15BAB681F6FBE0A",
     .value = UINT64_C(0xfffffe44f0f5fdfc),
     .before = "0",
     .work = "8281869c953e292e"},
    {.id = "V2", .key = 1, .subtype = NANO_SEND,
     .account = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
     .previous = "90BC245AC50982E1D035C77C69B0C860C5C45CE6DEE77095D75FC76D6AEA0B8E",
     .representative = R,
     .balance = "990000000000000000000000000000",
     .link = "E30D22B7935BCC25412FC07427391AB4C98A4AD68BAA733300D23D82C9D20AD3",
     .hash = "C4FA36D324C72B86118575F7ACB328C1614AD370B8E8FA169DE842A9FF9E2588",
     .signature = "456876B3E38161D0CBE509B1E9BA26D8106E4FF26F2590BBBB2BB60164F52CAA"
                  "E775D4D47EB6D2B4C769C2125894837C76BCBA54012BD0D51F5A0F48FAA8CF07",
     .value = UINT64_C(0xffffffffec9f5f41),
     .before = "1000000000000000000000000000000",
     .work = "0d05b6980301c00a"},
    {.id = "V3", .key = 1, .subtype = NANO_RECEIVE,
     .account = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
     .previous = "C4FA36D324C72B86118575F7ACB328C1614AD370B8E8FA169DE842A9FF9E2588",
     .representative = R,
     .balance = "1240000000000000000000000000001",
     .link = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
     .hash = "CFBE2EE504BB58EC8DA5154E7B782FF9C15A82834FB32461153DF21E876A3DD7",
     .signature = "77FC9D9E66B15AD528AA59A2230D70398290A80974A71FA353EE279A415438E8"
                  "49F04C4DC04479A49E5CD73A4F7C3C572E2893B765643657C0F402ADE7280101",
     .value = UINT64_C(0xffffffb73016138a),
     .before = "990000000000000000000000000000",
     .work = "b433debfcdb6e5f7"},
    {.id = "V4", .key = 1, .subtype = NANO_CHANGE,
     .account = "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
     .previous = "CFBE2EE504BB58EC8DA5154E7B782FF9C15A82834FB32461153DF21E876A3DD7",
     .representative = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9",
     .balance = "1240000000000000000000000000001",
     .link = ZEROS,
     .hash = "9A34088A3DDE5E7EDA0E06D9DAEEE68763E02712BAC19D8EBD1A306A746D2A06",
     .signature = "4B8F62360A0CF2D4F3DA1040181041896BAC8B4A0E40E6D04F1C449F5EF2BD30"
                  "2C0F669B6B3A167C197743ADFC4FC58E03FCA5F81CC1688420C13FE48A1E8900",
     .value = UINT64_C(0xfffffffd4f10577d),
     .before = "1240000000000000000000000000001",
     .work = "372735f1a6120337"},
    {.id = "V5", .key = 2, .subtype = NANO_OPEN,
     .account = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9",
     .previous = ZEROS,
     .representative = R,
     .balance = "10000000000000000000000000000",
     .link = "C4FA36D324C72B86118575F7ACB328C1614AD370B8E8FA169DE842A9FF9E2588",
     .hash = "ACB99B0DBC45D9568D07C7769D5A746659C7458DDBD2AEA3DF804023653CF682",
     .signature = "E6874E071202B37A1AF74FD5704F9667FD4352718C9BC1819D1614DEA7DBA4FB"
                  "7F9E159D5C7825ED8E074140A3D0C6184516BA743FF69AC227177E0307442402",
     .value = UINT64_C(0xffffffcafb1d257f),
     .before = "0",
     .work = "2283c639782e96b4"},
    {.id = "V6", .key = 2, .subtype = NANO_SEND,
     .account = "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9",
     .previous = "ACB99B0DBC45D9568D07C7769D5A746659C7458DDBD2AEA3DF804023653CF682",
     .representative = R,
     .balance = "0",
     .link = "C008B814A7D269A1FA3C6528B19201A24D797912DB9996FF02A1FF356E45552B",
     .hash = "43F2ABF423DC6081A7E2A10D9E68296C547E6823B666E31DC52B5BAF97E09176",
     .signature = "C3C20CCDC92D5B3014482B4AA85AC13B32905EA100BE47BDA811DFAD4226F292"
                  "6751E47E36E7EB2CE0739EE95ACC3C7D60BC1101472EBD4C736004421F7CD20A",
     .value = UINT64_C(0xfffffff8c0079ef4),
     .before = "10000000000000000000000000000",
     .work = "5d4d67548af03f4f"},
    {.id = "D1", .key = 10, .subtype = NANO_RECEIVE,
     .account = "nano_1e5aqegc1jb7qe964u4adzmcezyo6o146zb8hm6dft8tkp79za3sxwjym5rx",
     .previous = "92BA74A7D6DC7557F3EDA95ADC6341D51AC777A0A6FF0688A5C492AB2B2CB40D",
     .representative = R,
     .balance = "11618869000000000000000000000000",
     .link = "CBC911F57B6827649423C92C88C0C56637A4274FF019E77E24D61D12B5338783",
     .hash = "350D145570578A36D3D5ADE58DC7465F4CAAF257DD55BD93055FF826057E2CDD",
     .signature = "EEFFE1EFCCC8F2F6F2F1B79B80ABE855939DD9D6341323186494ADEE775DAADB"
                  "3B6A6A07A85511F2185F6E739C4A54F1454436E22255A542ED879FD04FEED001",
     .value = UINT64_C(0xffffffe8ba95a2bb),
     .work = "c5cf86de24b24419"},
    {.id = "D2", .subtype = NANO_SEND,
     .account = "nano_3qgmh14nwztqw4wmcdzy4xpqeejey68chx6nciczwn9abji7ihhum9qtpmdr",
     .previous = "F47B23107E5F34B2CE06F562B5C435DF72A533251CB414C51B2B62A8F63A00E4",
     .representative = "nano_1hza3f7wiiqa7ig3jczyxj5yo86yegcmqk3criaz838j91sxcckpfhbhhra1",
     .balance = "1000000000000000000000",
     .link = "19D3D919475DEED4696B5D13018151D1AF88B2BD3BCFF048B45031C1F36D1858",
     .hash = "FF0144381CFF0B2C079A115E7ADA7E96F43FD219446E7524C48D1CC9900C4F17",
     .signature = "3BFBA64A775550E6D49DF1EB8EEC2136DCD74F090E2ED658FBD9E80F17CB1C9F"
                  "9F7BDE2B93D95558EC2F277FFF15FD11E6E2162A1714731B743D1E941FA4560A",
     .value = UINT64_C(0xffffffd2b7ffab7b),
     .work = "cab7404f0b5449d0"},
    {.id = "D3", .subtype = NANO_SEND,
     .account = "nano_1tgkjkq9r96zd3pkr7edj8e4qbu3wr3ps6ettzse8hmoa37nurua7faupjhc",
     .previous = "4E9003ABD469D1F58A70518234016797FA654B494A2627B8583052629A91689E",
     .representative = "nano_3rw4un6ys57hrb39sy1qx8qy5wukst1iiponztrz9qiz6qqa55kxzx4491or",
     .balance = "0",
     .link = "3098F4C0D1D8BD889AF078CDFF81E982B8EFA6D6D8FAE954CF0CDC7A256C3F8B",
     .hash = "0E889F83E28152A70E87B92D846CA3D8966F3AEEC65E11B25F7B4E6760C57CA3",
     .signature = "D5C332587B1A4DEA35B6F03B0A9BEB45C5BBE582060B0252C313CF411F724787"
                  "21F8E7DA83A779BA5006D571266F32BDE34C1447247F417F8F12101D3ADAF705",
     .value = UINT64_C(0xffffffcac13e70cf),
     .work = "c950fc037d61e372"},
    {.id = "D4", .subtype = NANO_CHANGE,
     .account = "nano_3fihmbtuod33s4nrbqfczhk9zy9ddqimwjshzg4c3857es8c9631i5rg6h9p",
     .previous = "EE125B1B1D85D3C24636B3590E1642D9F21B166C0C6CD99C9C6087A1224A0C44",
     .representative = "nano_3o7uzba8b9e1wqu5ziwpruteyrs3scyqr761x7ke6w1xctohxfh5du75qgaj",
     .balance = "218195000000000000000000000000",
     .link = ZEROS,
     .hash = "B94C505029F04BC057A0486ADA8BD07981B4A8736AE6581F2E98C6D18498146F",
     .signature = "B1BD285235C612C5A141FA61793D7C6C762D3F104A85102DED5FBD6B4514971C"
                  "4D044ACD3EC8C06A9495D8E83B6941B54F8DABA825ADF799412ED9E2C86D7A0C",
     .before = "218195000000000000000000000000",
     .work = "05bb28cd8acbe71d"},
    {.id = "D5", .subtype = NANO_SEND,
     .account = "nano_1tipnanogsu7q59pnie3qfc4w378wm43fg4ksqc8wmnnfnizrq1xrpt5geho",
     .previous = "C05B995C518530876CF8AB876FD93577955A51D05971A19CDE243514B5A25F47",
     .representative = "nano_1tipnanogsu7q59pnie3qfc4w378wm43fg4ksqc8wmnnfnizrq1xrpt5geho",
     .balance = "117650323123112288832984294209891",
     .link = "B5BE5A8ECFA6B37EF72B871A78522C7D70AB1163CC21818C017FB8FDC1C8181A",
     .hash = "8FFD259D1C512D950EE6478C80EF01BE72DCF6AABAE3CFAECAE69BCF40BB4C02",
     .signature = "1908E09F34F5132442761E02A2FBB52516881DD3063434327DE5C1C78ECD2E50"
                  "DBD83B7DE029D72330E32E0DA4D468E66B12788E773EE1B85199A02B5E996009",
     .value = UINT64_C(0xfffffffa780aff94),
     .work = "64277ffb135de20c"},
};
/* clang-format on */

const size_t nano_vector_key_count = COUNT(nano_vector_keys);
const size_t nano_vector_block_count = COUNT(nano_vector_blocks);

struct nano_block nano_vector_block_make(const struct nano_vector_block *v)
{
    struct nano_block b = {0};
    if (!nano_account_parse(v->account, &b.account) || !nano_hash_parse(v->previous, &b.previous) ||
        !nano_account_parse(v->representative, &b.representative) ||
        !raw_parse(v->balance, &b.balance) || !nano_hash_parse(v->link, &b.link) ||
        !nano_signature_parse(v->signature, &b.signature) || !nano_work_parse(v->work, &b.work))
        fail_msg("vector %s cannot be read", v->id);
    return b;
}

void nano_hex_must(const unsigned char *bytes, size_t len, const char *want)
{
    char hex[129];
    nano_hex_print(bytes, len, hex);
    assert_string_equal(hex, want);
}

void nano_room_take(struct ed_room *room, const char *private_key)
{
    memset(room, 0, sizeof(*room));
    assert_true(nano_hex_parse(private_key, room->private_key, 32));
}

struct nano_seed *nano_seed_of(const char *hex)
{
    struct nano_seed *s = NULL;
    struct err e = {0};
    if (!nano_seed_parse(hex, &s, &e))
        fail_msg("%s", e.detail);
    return s;
}

void nano_random_fill(struct rng *r, void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)rng_next(r);
}
