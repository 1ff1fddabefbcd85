"""Names of columns and files that tell what they hold, in lower case, letters and digits alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The likeliest first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "user": (
        *(
            "userid",
            "user",
            "uid",
            "reviewerid",
            "customerid",
            "visitorid",
            "memberid",
            "accountid",
        ),
        *("username", "profileid", "sessionid", "session", "visitor", "customer", "reviewer"),
        *("playlistid", "buyerid", "readerid", "viewerid", "clientid", "cookieid", "deviceid"),
        *("shopperid", "subscriberid", "personid", "listenerid", "playerid", "customerno"),
    ),
    "item": (
        *("itemid", "item", "iid", "movieid", "parentasin", "asin", "productid", "product"),
        *("articleid", "bookid", "businessid", "songid", "trackid", "newsid", "videoid", "gameid"),
        *("isbn", "artistid", "locationid", "venueid", "poiid", "placeid", "recipeid", "animeid"),
        *("goodsid", "skuid", "sku", "adid", "listingid", "hotelid", "appid", "courseid", "postid"),
        *("merchandiseid", "contentid", "showid", "filmid", "pageid", "photoid", "pinid", "doi"),
        *("stockcode", "productcode", "itemcode", "barcode", "ean", "upc", "gtin", "productno"),
    ),
    "time": (
        *("timestamp", "time", "unixreviewtime", "datetime", "date", "ts", "createdat"),
        *("eventtime", "eventtimestamp", "timems", "timestampms", "unixtime", "unixtimestamp"),
        *("tdat", "reviewtime", "reviewdate", "ratingtime", "ratingtimestamp", "interactiontime"),
        *("clicktime", "viewtime", "purchasetime", "purchasedate", "orderdate", "ordertime"),
        *(
            "transactiondate",
            "transactiontime",
            "eventdate",
            "createtime",
            "createdtime",
            "created",
        ),
        *("updatedat", "dateadded", "addedat", "watchedat", "listenedat", "playedat", "occurredat"),
        *("localtime", "utctime", "epoch", "epochms", "day", "dt", "servertime", "logtime", "when"),
        *("checkintime", "visittime", "visitdate", "invoicedate", "sessiondate", "timecreated"),
        *("dateread", "readat", "submissiondate", "submitted", "posted", "postdate", "moment"),
    ),
    "rating": ("rating", "overall", "stars", "score", "bookrating", "weight", "ratings"),
    "title": (
        *("title", "name", "itemname", "productname", "itemtitle", "prodname", "booktitle"),
        *("movietitle", "trackname", "songname", "appname", "producttitle", "producttitles"),
        *(
            "headline",
            "caption",
            "keywords",
            "itemdescription",
            "productdescription",
            "description",
        ),
    ),
    "id": ("id",),
    "split": ("split", "fold", "xlabel", "subset", "partition", "set"),
    # a user's items in one cell, where no other column names an item
    "sequence": (
        *("items", "itemids", "itemlist", "itemsequence", "sequence", "history", "itemseq"),
        *("itemidlist", "itemhistory", "historyitems", "products", "productids", "articles"),
    ),
    "history": ("itemidlist", "historyitems", "itemseq", "itemhistory"),
}
# A name that says that a number is no moment, however it looks.
SPANS = re.compile(
    r"dur|elapsed|playtime|watchtime|dwell|hours|minutes|length|release|birth|expir|signup|regist"
)
EVENT_FILE = re.compile(
    r"inter|event|rating|review|sequence|click|purchase|buys|log|train|transaction|view|behavior|pairs",
    re.I,
)


def plain(name: str) -> str:
    """A name as the tables here spell it."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


KNOWN_NAMES = {name for names in NAMES.values() for name in names} - {"set", "when", "day"}
